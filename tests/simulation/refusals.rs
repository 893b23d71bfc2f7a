//! Refusals that tell nothing about how much the client asks for, and overload that is over.

use cos_slice::upload::options::Connections;

use crate::adaptive::NEAR;
use crate::links::{Link, Path, Run, Server};

const ADAPTIVE: Connections = Connections::Adaptive(16);

/// Many round trips away, where a request takes long.
const FAR: Link = Link {
    round_trip: 0.4,
    service: 0.2,
    ..NEAR
};

/// The same, and this share of requests is refused, however many there are.
fn refusing(link: Link, share: f64) -> Link {
    Link {
        server: Server::AtRandom(share),
        ..link
    }
}

/// The mean goodput of three uploads.
fn goodput(link: Link, connections: Connections, slices: u64) -> f64 {
    let goodput = |seed| Path::upload(link, &[], connections, slices, seed).goodput;
    (1..=3).map(goodput).sum::<f64>() / 3.0
}

#[test]
fn one_refusal_in_twenty_that_has_nothing_to_do_with_load_hardly_costs_goodput() {
    for link in [NEAR, FAR].map(|link| refusing(link, 0.05)) {
        let adaptive = goodput(link, ADAPTIVE, 2000);
        let best = [4, 8, 16].map(|number| goodput(link, Connections::Fixed(number), 2000));
        let best = best.into_iter().fold(0.0, f64::max);
        assert!(adaptive >= 0.8 * best, "{adaptive} of {best} over {link:?}");
    }
}

/// So many look like overload: without a pause between requests, a crowd of clients would keep a server down.
#[test]
fn one_refusal_in_five_leaves_a_part_of_what_one_request_at_a_time_would_bring() {
    for link in [NEAR, FAR].map(|link| refusing(link, 0.2)) {
        let adaptive = goodput(link, ADAPTIVE, 1000);
        let single = goodput(link, Connections::Fixed(1), 1000);
        assert!(adaptive >= 0.2 * single, "{adaptive} of {single} over {link:?}");
    }
}

#[test]
fn an_overload_of_two_minutes_that_is_over_is_forgotten_within_a_minute() {
    const SLICES: u64 = 24_000;
    let calm = Path::upload(NEAR, &[], ADAPTIVE, SLICES, 1);
    let usual = calm.eighths_at[6] - calm.eighths_at[5];
    for (share, seed) in [(0.3, 1), (0.3, 2), (0.5, 3), (0.5, 4), (0.9, 5), (1.0, 6)] {
        let changes = [(60.0, refusing(NEAR, share)), (180.0, NEAR)];
        let disturbed = Path::upload(NEAR, &changes, ADAPTIVE, SLICES, seed);
        let later = eighths_after(&disturbed, 240.0);
        assert!(later.len() >= 2, "share {share}, seed {seed}: {disturbed:?}");
        let slowest = later.into_iter().fold(0.0, f64::max);
        assert!(
            slowest <= 1.1 * usual,
            "share {share}, seed {seed}: {disturbed:?}"
        );
    }
}

/// How long the eighths took that began after that.
fn eighths_after(run: &Run, begun_after: f64) -> Vec<f64> {
    let eighths = run.eighths_at.windows(2);
    eighths
        .filter(|ends| ends[0] >= begun_after)
        .map(|ends| ends[1] - ends[0])
        .collect()
}
