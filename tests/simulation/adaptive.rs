//! The number of connections adapts: to any link, to a server that becomes another, and together with many others.

use std::time::Duration;

use cos_slice::upload::options::Connections;

use crate::fleet::{Capacity, Fleet};
use crate::grid;
use crate::links::{Link, Path, Server};

pub const NEAR: Link = Link {
    bandwidth: 1.25e8,
    round_trip: 0.05,
    loss: 0.0,
    service: 0.02,
    server: Server::Willing,
};

/// Many times what a client does to find its number.
const LONG: u64 = 4000;

#[test]
fn adaptive_connections_are_hardly_slower_than_the_best_fixed_number() {
    if std::env::var_os("SIMULATION_LINKS").is_some() {
        for slices in [64, 500, LONG] {
            println!("{}", grid::table(&grid::measure(&grid::full(), slices), slices));
        }
    }
    let (links, slices) = match std::env::var_os("SIMULATION_LINKS") {
        Some(_) => (grid::full(), 2 * LONG),
        None => (grid::short(), LONG),
    };
    let points = grid::measure(&links, slices);
    let table = grid::table(&points, slices);
    println!("{table}");
    assert!(points[0].share() >= 0.7, "{table}");
    assert!(grid::part_above(&points, 0.9) >= 0.9, "{table}");
}

#[test]
fn a_slow_link_has_few_connections_and_a_long_one_many() {
    let slow = Link {
        bandwidth: 1.25e4,
        ..NEAR
    };
    let run = Path::upload(slow, &[], Connections::Adaptive(64), 2000, 1);
    assert!(run.windows.iter().all(|&window| window <= 9.0), "{run:?}");
    let long = Link {
        round_trip: 0.8,
        loss: 0.01,
        ..NEAR
    };
    let run = Path::upload(long, &[], Connections::Adaptive(64), 2000, 1);
    assert!(run.windows[4..].iter().all(|&window| window >= 42.0), "{run:?}");
}

#[test]
fn a_server_that_becomes_slower_or_faster_is_followed() {
    let poor = Link {
        server: Server::AtOnce(3),
        ..NEAR
    };
    let changes = [(60.0, poor), (240.0, NEAR)];
    let run = Path::upload(NEAR, &changes, Connections::Adaptive(64), 40_000, 1);
    assert!(run.goodput > 0.0, "it succeeds");
    let [first, .., before_last, last] = run.eighths_at;
    assert!(
        last - before_last <= 1.05 * first,
        "it ends as fast as it began: {run:?}"
    );
    assert!(run.windows.iter().any(|&window| window < 6.0), "{run:?}");
    assert!(run.refused * 10 < run.requests, "{run:?}");
}

#[test]
fn a_fixed_number_stays_fixed_whatever_the_server_says() {
    let link = Link {
        server: Server::AtOnce(20),
        ..NEAR
    };
    let run = Path::upload(link, &[], Connections::Fixed(8), 500, 1);
    assert_eq!(
        (run.refused, run.windows),
        (0, [0.0; 8]),
        "a fixed number has no window"
    );
    assert_eq!(run.most_in_flight, 8);
}

#[test]
fn ten_thousand_clients_use_a_server_of_half_the_capacity_that_they_want_and_hardly_ask_in_vain() {
    let fleet = Fleet {
        clients: 10_000,
        slices: 100,
        connections: Connections::Adaptive(16),
        // Each client wants one request in flight at the very least.
        capacity: Capacity::AtOnce(5_000),
        outage: None,
    };
    assert_hardly_asks_in_vain(&fleet);
}

#[test]
fn a_fleet_hardly_asks_in_vain_where_the_server_counts_requests_a_second() {
    let fleet = Fleet {
        clients: 1000,
        slices: 200,
        connections: Connections::Adaptive(16),
        // With one request in flight each, they would make twice as many.
        capacity: Capacity::PerSecond(3_300),
        outage: None,
    };
    assert_hardly_asks_in_vain(&fleet);
}

#[test]
fn a_fleet_goes_on_after_an_outage_without_failures() {
    let outage = (Duration::from_secs(10), Duration::from_secs(40));
    let fleet = Fleet {
        clients: 500,
        slices: 60,
        connections: Connections::Adaptive(16),
        capacity: Capacity::AtOnce(2_000),
        outage: Some(outage),
    };
    let outcome = fleet.run(1);
    assert_eq!(outcome.failed, 0);
    // During the outage each client asks ever more rarely.
    let per_client = outcome.refused as f64 / 500.0;
    assert!(per_client < 30.0, "{per_client} refusals for each client");
    assert!(outcome.last_done < 240.0, "done after {} s", outcome.last_done);
}

/// From the first request on at most 1.1 are sent for each that is served, and the server has enough to do.
fn assert_hardly_asks_in_vain(fleet: &Fleet) {
    let outcome = fleet.run(1);
    println!(
        "amplification {:.3}, used {:.3}",
        outcome.amplification(),
        outcome.used
    );
    assert_eq!(outcome.failed, 0);
    assert!(outcome.amplification() <= 1.1, "{}", outcome.amplification());
    assert!(outcome.used >= 0.9, "{}", outcome.used);
}
