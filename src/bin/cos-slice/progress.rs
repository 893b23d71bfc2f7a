//! What a person sees while an upload runs: a bar on a terminal, plain lines elsewhere, all on stderr.
//!
//! Rate and time left are indicatif's estimates in both cases; without a terminal its bar is hidden and asked.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cos_slice::upload::progress::{Phase, Progress};
use indicatif::{BinaryBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Without a terminal: a line when a tenth more is done, or after this time …
const LONGEST_SILENCE: Duration = Duration::from_secs(10);
/// … and never two of the same phase within this time.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How progress is shown.
pub enum Display {
    Nothing,
    Bar(Meter),
    Lines(Meter, Pace),
}

impl Display {
    /// The kind that suits where stderr goes.
    pub fn new(quiet: bool) -> Self {
        if quiet {
            Self::Nothing
        } else if io::stderr().is_terminal() {
            Self::Bar(Meter::new(ProgressDrawTarget::stderr()))
        } else {
            Self::Lines(Meter::new(ProgressDrawTarget::hidden()), Pace::default())
        }
    }

    /// For lines of other threads.
    pub fn console(&self) -> Console {
        match self {
            Self::Bar(meter) => meter.console.clone(),
            Self::Nothing | Self::Lines(..) => Console::default(),
        }
    }

    /// Shows how far it is.
    pub fn show(&mut self, progress: &Progress) {
        // Nothing happens before and after.
        if matches!(progress.phase, Phase::Waiting | Phase::Done) {
            return;
        }
        match self {
            Self::Nothing => {}
            Self::Bar(meter) => {
                meter.console.bar_is_there();
                meter.take(progress);
                // Left to itself the bar may leave out this drawing, and there may be none after it for long.
                meter.bar.force_draw();
            }
            Self::Lines(meter, pace) => {
                meter.take(progress);
                if pace.is_due(progress, Instant::now()) {
                    output::note(&meter.line(progress));
                }
            }
        }
    }

    /// Takes the bar away, to make room for the result.
    pub fn close(&self) {
        if let Self::Bar(meter) = self {
            meter.bar.finish_and_clear();
        }
    }
}

/// Where lines go that come from any thread. They stand above the bar, where there is one, and never within it.
#[derive(Clone, Default)]
pub struct Console {
    bar: Option<ProgressBar>,
    /// Whether the bar was drawn; until then it must not be drawn again, since it has nothing to show.
    is_drawn: Arc<Mutex<bool>>,
}

impl Console {
    /// Writes a line for people.
    pub fn note(&self, text: &str) {
        let is_drawn = self.lock();
        match &self.bar {
            Some(bar) if *is_drawn => bar.suspend(|| output::note(text)),
            _ => output::note(text),
        }
    }

    fn bar_is_there(&self) {
        *self.lock() = true;
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of the present phase is done, and how fast it goes.
pub struct Meter {
    bar: ProgressBar,
    console: Console,
    phase: Phase,
    /// Bytes that were there before this run, and are no measure of its speed.
    resumed: u64,
}

impl Meter {
    fn new(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        let console = Console {
            bar: Some(bar.clone()),
            is_drawn: Arc::default(),
        };
        Self {
            bar,
            console,
            phase: Phase::Waiting,
            resumed: 0,
        }
    }

    fn take(&mut self, progress: &Progress) {
        if progress.phase != self.phase {
            self.enter(progress);
        }
        if progress.resumed != self.resumed {
            self.resumed = progress.resumed;
            self.measure_from(done(progress));
            self.bar
                .set_message(format!("({} were there)", BinaryBytes(progress.resumed)));
        }
        self.bar.set_position(done(progress));
    }

    fn enter(&mut self, progress: &Progress) {
        self.phase = progress.phase;
        self.bar.set_style(style(progress.phase));
        self.bar.update(|state| state.set_len(progress.total));
        self.measure_from(done(progress));
    }

    /// The rate begins now, and with this much done.
    fn measure_from(&self, position: u64) {
        self.bar.update(|state| state.set_pos(position));
        self.bar.reset_eta();
    }

    fn line(&self, progress: &Progress) -> String {
        let name = progress.phase.name();
        if !is_measured(progress.phase) {
            return name.to_owned();
        }
        let (done, total) = (done(progress), progress.total);
        let mut line = format!("{name} {} of {}", BinaryBytes(done), BinaryBytes(total));
        if progress.phase == Phase::Sending && progress.resumed > 0 {
            line.push_str(&format!(" ({} were there)", BinaryBytes(progress.resumed)));
        }
        let rate = self.bar.per_sec();
        if rate >= 1.0 && done < total {
            // A rate is far below what a u64 holds, and a fraction of a byte is nothing to show.
            let (rate, left) = (BinaryBytes(rate as u64), HumanDuration(self.bar.eta()));
            line.push_str(&format!(", {rate}/s, {left} left"));
        }
        line
    }
}

/// When the next line is due.
#[derive(Default)]
pub struct Pace {
    last: Option<(Instant, Progress)>,
}

impl Pace {
    fn is_due(&mut self, progress: &Progress, now: Instant) -> bool {
        let due = match &self.last {
            Some((at, last)) if last.phase == progress.phase && last.resumed == progress.resumed => {
                let pause = now.saturating_duration_since(*at);
                let more = done(progress).saturating_sub(done(last));
                pause >= SHORTEST_PAUSE && (more >= progress.total.div_ceil(10) || pause >= LONGEST_SILENCE)
            }
            // The phase is new, or it has just turned out what was there.
            _ => true,
        };
        if due {
            self.last = Some((now, *progress));
        }
        due
    }
}

fn done(progress: &Progress) -> u64 {
    match progress.phase {
        Phase::Hashing => progress.hashed,
        _ => progress.acknowledged,
    }
}

fn is_measured(phase: Phase) -> bool {
    matches!(phase, Phase::Hashing | Phase::Sending)
}

fn style(phase: Phase) -> ProgressStyle {
    let style =
        ProgressStyle::with_template(&template(phase)).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

fn template(phase: Phase) -> String {
    let name = phase.name();
    if is_measured(phase) {
        let numbers = "{binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {msg}";
        format!("{name} [{{wide_bar:.cyan}}] {numbers}")
    } else if phase == Phase::Spooling {
        // How much there is to come is not known.
        name.to_owned()
    } else {
        format!("{name} {{binary_total_bytes}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sending(acknowledged: u64, resumed: u64) -> Progress {
        Progress {
            phase: Phase::Sending,
            total: 1000,
            acknowledged,
            resumed,
            ..Progress::default()
        }
    }

    #[test]
    fn lines_come_at_most_once_a_second_and_per_tenth() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let mut due = |ms: u64, progress: Progress| pace.is_due(&progress, start + Duration::from_millis(ms));
        assert!(due(0, sending(0, 0)), "the phase is new");
        assert!(!due(900, sending(500, 0)), "too early");
        assert!(due(1000, sending(500, 0)));
        assert!(!due(2500, sending(599, 0)), "too little");
        assert!(due(11_000, sending(599, 0)), "silent for too long");
        assert!(due(11_001, sending(599, 300)), "what was there is news");
        assert!(
            due(
                11_001,
                Progress {
                    phase: Phase::Finishing,
                    ..sending(1000, 0)
                }
            ),
            "the phase is new"
        );
    }

    #[test]
    fn what_was_there_already_is_shown_and_does_not_count_as_speed() {
        let mut meter = Meter::new(ProgressDrawTarget::hidden());
        meter.take(&sending(0, 0));
        meter.take(&sending(900, 900));
        assert_eq!(meter.bar.position(), 900);
        assert_eq!(meter.bar.per_sec(), 0.0);
        assert!(meter.line(&sending(900, 900)).contains("(900 B were there)"));
    }

    #[test]
    fn every_phase_has_a_valid_template() {
        for &phase in Phase::ALL {
            assert!(
                ProgressStyle::with_template(&template(phase)).is_ok(),
                "{phase:?}"
            );
        }
    }
}
