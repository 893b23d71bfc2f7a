use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;
use crate::upload::random::Random;

const SECOND: Duration = Duration::from_secs(1);

/// The lowest rate that can be set, in bytes per second, and one that no link has.
const RATES: std::ops::RangeInclusive<u64> = 1 << 10..=10 << 30;

/// Somebody who sends.
#[derive(Clone, Copy, Debug)]
struct Sender {
    /// What it wants at once, in bytes.
    wants: u64,
    /// It is back up to this long after its moment, at random.
    late: Duration,
    /// It pauses so long after each piece.
    pause: Duration,
    /// It sends this much of what it is granted, in percent, and gives back the rest.
    sends: u64,
}

/// One that always wants more.
fn greedy(wants: u64) -> Sender {
    Sender {
        wants,
        late: Duration::ZERO,
        pause: Duration::ZERO,
        sends: 100,
    }
}

/// Bytes that went at a moment, and whose they were.
#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Duration,
    sender: usize,
    bytes: u64,
}

/// Senders that share an allowance, in virtual time.
struct World {
    allowance: Allowance<usize>,
    senders: Vec<Sender>,
    /// When each of them comes next.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    random: Random,
    sent: Vec<Sent>,
    /// How often anybody came.
    visits: u64,
}

impl World {
    fn new(rate: u64, senders: Vec<Sender>) -> Self {
        Self {
            allowance: Allowance::new(Some(rate)),
            due: (0..senders.len())
                .map(|sender| Reverse((Duration::ZERO, sender)))
                .collect(),
            senders,
            random: Random::new(1),
            sent: Vec::new(),
            visits: 0,
        }
    }

    fn run_until(&mut self, end: Duration) {
        while let Some(Reverse((at, sender))) = self.due.peek().copied().filter(|Reverse((at, _))| *at < end)
        {
            self.due.pop();
            self.visits += 1;
            let Sender {
                wants,
                late,
                pause,
                sends,
            } = self.senders[sender];
            let next = match self.allowance.ask(&sender, wants, at) {
                Turn::Now(granted) => {
                    assert!((1..=wants).contains(&granted), "{granted} of {wants}");
                    let bytes = (granted * sends / 100).max(1);
                    self.allowance.take(&sender, granted);
                    let woken = self.allowance.give_back(granted - bytes);
                    self.wake(&woken, at);
                    self.sent.push(Sent { at, sender, bytes });
                    at + pause
                }
                Turn::At(moment) => {
                    assert!(moment > at, "it would ask for ever");
                    let late = u64::try_from(late.as_nanos()).unwrap();
                    moment + Duration::from_nanos(self.random.up_to(late))
                }
            };
            // Who pauses for no time and is granted nothing else would stand still; the allowance sees to that.
            self.due.push(Reverse((next, sender)));
        }
    }

    fn wake(&mut self, woken: &[usize], now: Duration) {
        if !woken.is_empty() {
            let is_woken = |entry: &Reverse<(Duration, usize)>| woken.contains(&entry.0.1);
            self.due.retain(|entry| !is_woken(entry));
            self.due
                .extend(woken.iter().map(|sender| Reverse((now, *sender))));
        }
    }

    fn set_rate(&mut self, rate: Option<u64>, now: Duration) {
        let woken = self.allowance.set_rate(rate, now);
        self.wake(&woken, now);
    }

    fn bytes_of(&self, sender: usize) -> u64 {
        self.sent
            .iter()
            .filter(|sent| sent.sender == sender)
            .map(|sent| sent.bytes)
            .sum()
    }
}

/// The most bytes by which what was sent in any window is above what the rate gives for its time. Every window that begins
/// and ends with something sent is looked at.
fn most_above(sent: &[Sent], rate: u64) -> f64 {
    let (mut total, mut lowest, mut most) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
    for sent in sent {
        let allowed = rate as f64 * sent.at.as_secs_f64();
        lowest = f64::min(lowest, total - allowed);
        total += sent.bytes as f64;
        most = f64::max(most, total - allowed - lowest);
    }
    most
}

/// The same below it: of windows that begin just behind something sent and end just before something else is.
fn most_below(sent: &[Sent], rate: u64) -> f64 {
    let (mut total, mut highest, mut most) = (0.0, f64::NEG_INFINITY, 0.0);
    for sent in sent {
        let allowed = rate as f64 * sent.at.as_secs_f64();
        most = f64::max(most, highest - (total - allowed));
        total += sent.bytes as f64;
        highest = f64::max(highest, total - allowed);
    }
    most
}

/// Any rate as likely to be of one magnitude as of another.
fn rates() -> impl Strategy<Value = u64> {
    let (low, high) = ((*RATES.start() as f64).ln(), (*RATES.end() as f64).ln());
    (low..=high).prop_map(|exponent| (exponent.exp() as u64).clamp(*RATES.start(), *RATES.end()))
}

/// What a sender wants at once: from a short head to a megabyte, and no less than half a millisecond's worth, so that there are
/// not too many.
fn wants(rate: u64) -> impl Strategy<Value = u64> {
    prop_oneof![1u64..2000, 2000u64..1 << 20].prop_map(move |wants| wants.max(rate / 2000))
}

/// Senders that always want more and come at most 5 ms late.
fn greedy_senders(rate: u64) -> impl Strategy<Value = Vec<Sender>> {
    let sender = (wants(rate), 0..=5u64).prop_map(|(wants, late)| Sender {
        late: Duration::from_millis(late),
        ..greedy(wants)
    });
    prop::collection::vec(sender, 1..20)
}

/// Senders of any kind: they pause, come late, and send only part of what they may.
fn senders(rate: u64) -> impl Strategy<Value = Vec<Sender>> {
    let sender = (wants(rate), 0..=200u64, 1..=200u64, 0..=100u64);
    let sender = sender.prop_map(|(wants, late, pause, sends)| Sender {
        wants,
        late: Duration::from_millis(late),
        pause: Duration::from_millis(pause),
        sends,
    });
    prop::collection::vec(sender, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_sent_in_any_second_and_more_is_within_3_percent_of_the_rate_while_there_is_always_more(
        (rate, senders) in rates().prop_flat_map(|rate| (Just(rate), greedy_senders(rate))),
    ) {
        let mut world = World::new(rate, senders);
        world.run_until(3 * SECOND);
        let bound = rate as f64 * 0.03 + 1.0;
        prop_assert!(most_above(&world.sent, rate) <= bound, "{} above", most_above(&world.sent, rate));
        prop_assert!(most_below(&world.sent, rate) <= bound, "{} below", most_below(&world.sent, rate));
        let total = world.sent.iter().map(|sent| sent.bytes).sum::<u64>() as f64;
        prop_assert!((total / 3.0 / rate as f64 - 1.0).abs() <= 0.03, "{total} in all");
    }

    #[test]
    fn no_window_has_more_than_the_rate_and_the_burst_whatever_the_senders_do(
        (rate, senders) in rates().prop_flat_map(|rate| (Just(rate), senders(rate))),
    ) {
        let mut world = World::new(rate, senders);
        world.run_until(3 * SECOND);
        let burst = rate as f64 * BURST.as_secs_f64();
        prop_assert!(most_above(&world.sent, rate) <= burst + 1.0, "{} above", most_above(&world.sent, rate));
    }

    #[test]
    fn another_rate_holds_from_the_moment_on_at_which_it_is_set(
        (rates, senders) in prop::collection::vec(rates(), 2..6)
            .prop_flat_map(|rates| { let most = *rates.iter().max().unwrap(); (Just(rates), greedy_senders(most)) }),
    ) {
        let mut world = World::new(rates[0], senders);
        let mut begun = Duration::ZERO;
        for rate in rates {
            world.set_rate(Some(rate), begun);
            let before = world.sent.len();
            world.run_until(begun + SECOND);
            begun += SECOND;
            let sent = &world.sent[before..];
            let bound = rate as f64 * 0.03 + 1.0;
            prop_assert!(most_above(sent, rate) <= bound, "{rate}: {} above", most_above(sent, rate));
            let total = sent.iter().map(|sent| sent.bytes).sum::<u64>() as f64;
            prop_assert!((total / rate as f64 - 1.0).abs() <= 0.03 + 1.0 / rate as f64, "{rate}: {total}");
        }
    }

    #[test]
    fn whoever_always_wants_more_gets_as_much_as_the_others_and_is_never_passed_over(
        rate in rates(), count in 2usize..17,
    ) {
        let mut world = World::new(rate, vec![greedy(1 << 20); count]);
        // What is there at first goes to who comes first.
        world.run_until(SECOND);
        world.sent.clear();
        world.run_until(3 * SECOND);
        let turns = |sender| world.sent.iter().filter(move |sent| sent.sender == sender).count();
        let all: Vec<_> = (0..count).map(turns).collect();
        prop_assert!(all.iter().max().unwrap() - all.iter().min().unwrap() <= 1, "{all:?}");
        for turns in world.sent.windows(count) {
            let mut whose: Vec<_> = turns.iter().map(|sent| sent.sender).collect();
            whose.sort_unstable();
            whose.dedup();
            prop_assert_eq!(whose.len(), count);
        }
    }
}

#[test]
fn ten_gibibytes_a_second_are_reached_in_pieces_of_a_buffer() {
    let rate = *RATES.end();
    let mut world = World::new(rate, vec![greedy(64 << 10); 8]);
    world.run_until(SECOND);
    let bound = rate as f64 * 0.03 + 1.0;
    assert!(
        most_above(&world.sent, rate) <= bound,
        "{}",
        most_above(&world.sent, rate) / bound
    );
    assert!(
        most_below(&world.sent, rate) <= bound,
        "{}",
        most_below(&world.sent, rate) / bound
    );
}

#[test]
fn who_waits_comes_once_for_each_piece() {
    let mut world = World::new(1 << 20, vec![greedy(1 << 20); 8]);
    world.run_until(3 * SECOND);
    let sent = world.sent.len() as u64;
    assert!(
        world.visits <= 2 * sent + 8,
        "{} visits for {sent} pieces",
        world.visits
    );
}

#[test]
fn one_that_wants_little_gets_it_beside_those_that_want_much() {
    let mut world = World::new(1 << 20, vec![greedy(1 << 20), greedy(1 << 20), greedy(100)]);
    world.run_until(3 * SECOND);
    assert!(world.bytes_of(2) > 0);
    let of_it = world
        .sent
        .iter()
        .filter(|sent| sent.sender == 2)
        .map(|sent| sent.at);
    let moments: Vec<_> = of_it.collect();
    let longest = moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= 3 * PIECE, "{longest:?}");
}

#[test]
fn time_in_which_nothing_is_wanted_gives_no_more_than_the_burst() {
    let mut allowance = Allowance::new(Some(100_000));
    let mut granted = 0;
    let now = 3600 * SECOND;
    while let Turn::Now(bytes) = allowance.ask(&1, 1 << 20, now) {
        allowance.take(&1, bytes);
        granted += bytes;
    }
    // The last piece would have been longer than what was left.
    assert!((2_000..=3_000).contains(&granted), "{granted}");
}

#[test]
fn what_was_not_sent_may_be_sent_by_the_next_at_once() {
    let mut allowance = Allowance::new(Some(100_000));
    while let Turn::Now(bytes) = allowance.ask(&1, 1448, Duration::ZERO) {
        allowance.take(&1, bytes);
    }
    assert!(matches!(allowance.ask(&2, 1448, Duration::ZERO), Turn::At(_)));
    assert_eq!(allowance.give_back(1448), [1, 2], "both are to ask again");
    assert_eq!(allowance.leave(&1), [2]);
    assert_eq!(allowance.ask(&2, 1448, Duration::ZERO), Turn::Now(1448));
}

#[test]
fn without_a_limit_everything_goes_at_once_also_for_who_waited() {
    let mut allowance = Allowance::new(Some(1024));
    while let Turn::Now(bytes) = allowance.ask(&1, 1 << 20, Duration::ZERO) {
        allowance.take(&1, bytes);
    }
    assert_eq!(allowance.set_rate(None, Duration::ZERO), [1]);
    assert_eq!(allowance.ask(&1, 1 << 20, Duration::ZERO), Turn::Now(1 << 20));
    assert_eq!(allowance.leave(&1), [] as [i32; 0], "nobody is left in the queue");
}

#[test]
fn what_was_wanted_at_a_high_rate_holds_up_nobody_at_a_low_one() {
    let mut allowance = Allowance::new(Some(10 << 30));
    while let Turn::Now(bytes) = allowance.ask(&1, 1 << 30, Duration::ZERO) {
        allowance.take(&1, bytes);
    }
    assert!(matches!(allowance.ask(&2, 1 << 30, Duration::ZERO), Turn::At(_)));
    allowance.set_rate(Some(1024), Duration::ZERO);
    let Turn::At(turn) = allowance.ask(&2, 1 << 30, Duration::ZERO) else {
        panic!("there is nothing left");
    };
    assert!(turn <= 2 * LONGEST_PIECE, "{turn:?}");
}

#[test]
fn the_largest_numbers_are_no_mistake() {
    let mut allowance = Allowance::new(Some(u64::MAX));
    assert!(matches!(
        allowance.ask(&1, u64::MAX, Duration::MAX / 2),
        Turn::Now(_)
    ));
    allowance.take(&1, u64::MAX);
    assert!(matches!(
        allowance.ask(&1, u64::MAX, Duration::MAX / 2),
        Turn::At(_)
    ));
    allowance.give_back(u64::MAX);
}

/// Senders that begin together, send requests of `request` bytes each, and wait for each answer: how much of the rate comes of
/// it.
fn reached(rate: u64, count: usize, request: u64, answer: Duration) -> f64 {
    let mut allowance = Allowance::new(Some(rate));
    let mut due: BinaryHeap<_> = (0..count)
        .map(|sender| Reverse((Duration::ZERO, sender)))
        .collect();
    let mut left = vec![request; count];
    let end = 20 * SECOND;
    let mut sent = 0;
    while let Some(Reverse((at, sender))) = due.pop().filter(|Reverse((at, _))| *at < end) {
        let next = match allowance.ask(&sender, left[sender].min(64 << 10), at) {
            Turn::At(moment) => moment,
            Turn::Now(granted) => {
                allowance.take(&sender, granted);
                left[sender] -= granted;
                sent += granted;
                match left[sender] {
                    0 => {
                        left[sender] = request;
                        at + answer
                    }
                    _ => at,
                }
            }
        };
        due.push(Reverse((next, sender)));
    }
    sent as f64 / end.as_secs_f64() / rate as f64
}

#[test]
fn somebody_sends_while_others_wait_for_their_answers_though_all_began_together() {
    const MIB: u64 = 1 << 20;
    for (rate, count, answer) in [
        (100_000, 2, 800),
        (2_000_000, 2, 50),
        (2_000_000, 4, 200),
        (20_000_000, 8, 50),
        (20_000_000, 16, 100),
        (20_000_000, 8, 5),
    ] {
        let reached = reached(rate, count, MIB, Duration::from_millis(answer));
        assert!(
            reached >= 0.97,
            "{rate}, {count} senders, {answer} ms: {reached:.3}"
        );
    }
}
