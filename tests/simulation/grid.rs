//! Adaptive connections against every fixed number, on a grid of links.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use cos_slice::upload::options::Connections;

use crate::links::{Link, Path, Run, Server};

/// Willing servers, near and slow ones, and servers that can do only so much; with what they need for a request, in seconds.
const SERVERS: [(Server, f64); 6] = [
    (Server::Willing, 0.005),
    (Server::Willing, 0.2),
    (Server::AtOnce(3), 0.02),
    (Server::AtOnce(20), 0.02),
    (Server::PerSecond(10.0), 0.02),
    (Server::Bytes(2.5e6), 0.02),
];

const MOST: u32 = 64;
const FIXED: [u32; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/// One link, and how the upload over it was.
pub struct Point {
    pub link: Link,
    pub adaptive: Run,
    /// The best fixed number, and its goodput.
    pub best: (u32, f64),
}

impl Point {
    pub fn measure(link: Link, slices: u64) -> Self {
        let adaptive = Path::upload(link, &[], Connections::Adaptive(MOST), slices, 1);
        let fixed = FIXED.map(|number| {
            let run = Path::upload(link, &[], Connections::Fixed(number), slices, 1);
            (number, run.goodput)
        });
        let best = fixed.into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
        Self {
            link,
            adaptive,
            best: best.unwrap_or_default(),
        }
    }

    /// The share of the best fixed number's goodput.
    pub fn share(&self) -> f64 {
        self.adaptive.goodput / self.best.1
    }
}

/// What is compared in `make test`: the corners, the middle, and each server once; servers that take so many requests at once also
/// from far, where each refusal costs long.
pub fn short() -> Vec<Link> {
    let mut links = links(
        &[1e4, 3e7, 1e10],
        &[0.001, 0.05, 0.8],
        &[0.0, 0.01],
        &SERVERS[..1],
    );
    links.extend(self::links(&[1e9], &[0.05], &[0.0], &SERVERS[1..]));
    links.extend(self::links(&[1e9], &[0.2, 0.8], &[0.0], &SERVERS[2..4]));
    links
}

/// 10 kbit/s to 10 Gbit/s, 1 to 800 ms, no loss to 5 %, to every server.
pub fn full() -> Vec<Link> {
    let bandwidths = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];
    let (round_trips, losses) = ([0.001, 0.01, 0.05, 0.2, 0.8], [0.0, 0.001, 0.01, 0.05]);
    links(&bandwidths, &round_trips, &losses, &SERVERS)
}

/// Each link with one of these bandwidths (bits a second), round trips (seconds) and losses, to one of these servers.
fn links(bandwidths: &[f64], round_trips: &[f64], losses: &[f64], servers: &[(Server, f64)]) -> Vec<Link> {
    let mut links = Vec::new();
    for &bandwidth in bandwidths {
        for &round_trip in round_trips {
            for &loss in losses {
                links.extend(servers.iter().map(|&(server, service)| Link {
                    bandwidth: bandwidth / 8.0,
                    round_trip,
                    loss,
                    service,
                    server,
                }));
            }
        }
    }
    links
}

/// Uploads of so many slices over each link, on all cores; the worst first.
pub fn measure(links: &[Link], slices: u64) -> Vec<Point> {
    let (next, points) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&link) = links.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let point = Point::measure(link, slices);
                    points.lock().unwrap_or_else(PoisonError::into_inner).push(point);
                }
            });
        }
    });
    let mut points = points.into_inner().unwrap_or_else(PoisonError::into_inner);
    points.sort_by(|one, other| one.share().total_cmp(&other.share()));
    points
}

/// The part of the points at which adaptive has at least so much of the best fixed number's goodput.
pub fn part_above(points: &[Point], share: f64) -> f64 {
    points.iter().filter(|point| point.share() >= share).count() as f64 / points.len() as f64
}

/// What is to be told of all points, and of the worst.
pub fn table(points: &[Point], slices: u64) -> String {
    let mean = points.iter().map(Point::share).sum::<f64>() / points.len() as f64;
    let mut text = format!(
        "{} links, {slices} slices: adaptive has {mean:.3} of the best fixed number's goodput in the mean, at least 0.9 at {:.1} % \
         of the links, at least 0.7 at {:.1} %\n",
        points.len(),
        100.0 * part_above(points, 0.9),
        100.0 * part_above(points, 0.7),
    );
    for point in points.iter().take(20) {
        let (link, adaptive) = (point.link, point.adaptive);
        let _ = writeln!(
            text,
            "{:.3}  {:.0e} bit/s, {} ms, loss {}, {:?} + {} s: {:.0} of {:.0} kB/s with {}; {} of {} refused; windows {:.1?}",
            point.share(),
            link.bandwidth * 8.0,
            link.round_trip * 1e3,
            link.loss,
            link.server,
            link.service,
            adaptive.goodput / 1e3,
            point.best.1 / 1e3,
            point.best.0,
            adaptive.refused,
            adaptive.requests,
            adaptive.windows,
        );
    }
    text
}
