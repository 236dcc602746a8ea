//! The counts of a channel, for its writer and for readers of all its messages.

use mflow_handlers::{Data, Message, Peek, Registry};

use crate::frame::Frames;

/// The counts of the messages of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelTally {
    /// Messages that are in the file.
    pub(crate) messages: u64,
    /// The bytes of their parts.
    pub(crate) bytes: u64,
    /// Messages that were received and are not in the file.
    pub(crate) dropped: u64,
    /// Missing numbers, in all series before the current one.
    lost: u64,
    current: Option<Current>,
}

/// How many messages late a message may be.
const LATE: u64 = 64;

/// The numbers of the current series, in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Current {
    series: Option<u64>,
    first: u64,
    last: u64,
    messages: u64,
    /// The difference between consecutive numbers.
    step: u64,
}

impl Current {
    /// Returns how many numbers between the first and the last are missing.
    fn lost(&self) -> u64 {
        ((self.last - self.first) / self.step.max(1)).saturating_sub(self.messages - 1)
    }

    /// Adds a number.
    fn add(&mut self, number: u64) {
        self.step = divisor(self.step, number.abs_diff(self.last));
        self.first = self.first.min(number);
        self.last = self.last.max(number);
        self.messages += 1;
    }
}

impl ChannelTally {
    /// Counts the next message by the number of its frame, or of its pulse.
    pub(crate) fn follow(&mut self, peek: &Peek<'_>, frames: &Frames) {
        let Some(number) = peek.frame.or(peek.pulse) else { return };
        let series = peek.series;
        let late = self.current.map_or(0, |current| LATE.saturating_mul(current.step));
        match &mut self.current {
            // Messages on other connections may be a little late; much smaller numbers start a new
            // count.
            Some(current)
                if current.series == series && current.last <= number.saturating_add(late) =>
            {
                current.add(number);
            }
            current => {
                let lost = current.map_or(0, |current| current.lost());
                self.lost = self.lost.saturating_add(lost);
                // The step of a stream does not change.
                let step = match current {
                    Some(current) => current.step,
                    None if peek.frame.is_some() => 1,
                    None => pulse_step(frames),
                };
                *current = Some(Current { series, first: number, last: number, messages: 1, step });
            }
        }
    }

    /// Returns how many numbers of frames or pulses are missing between the first and the last of
    /// their series; `None` if no message has such a number.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.current.map(|current| self.lost.saturating_add(current.lost()))
    }
}

/// Returns the distance between the pulses of a stream of bsread, from one message: the greatest
/// common divisor of the `modulo` of all its channels.
fn pulse_step(frames: &Frames) -> u64 {
    match Registry::default().decode(Message::from(frames.clone())) {
        Data::Bsread(pulse) => {
            let channels = pulse.data_header().definitions().iter();
            channels.map(|channel| channel.modulo().get()).fold(0, divisor).max(1)
        }
        _ => 1,
    }
}

/// Returns the greatest common divisor; if one number is 0, the other one.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows the number of a frame.
    fn follow(tally: &mut ChannelTally, series: u64, frame: Option<u64>) {
        let peek = Peek { series: Some(series), frame, ..Peek::default() };
        tally.follow(&peek, &Frames::new());
    }

    #[test]
    fn an_overflowing_number_of_lost_frames_is_the_greatest_one() {
        let mut tally = ChannelTally::default();
        for series in 1..4 {
            for frame in [0, u64::MAX] {
                follow(&mut tally, series, Some(frame));
            }
        }
        assert_eq!(tally.lost(), Some(u64::MAX));
    }

    #[test]
    fn missing_pulses_are_lost_by_the_step_of_their_stream() {
        let lost = |modulos: &[&str], pulses: &[u64]| {
            let channels: Vec<_> =
                modulos.iter().map(|it| format!(r#"{{"name":"X"{it}}}"#)).collect();
            let data_header = format!(r#"{{"channels":[{}]}}"#, channels.join(","));
            let mut tally = ChannelTally::default();
            for pulse in pulses {
                let main = format!(r#"{{"htype":"bsr_m-1.1","pulse_id":{pulse}}}"#);
                let frames = Frames::from([main.as_bytes(), data_header.as_bytes()]);
                tally.follow(&Peek::of(main.as_bytes()), &frames);
            }
            tally.lost()
        };
        // Every other one is missing.
        assert_eq!(lost(&[""], &[500, 502, 504, 508]), Some(5));
        let ten = r#","modulo":10"#;
        assert_eq!(lost(&[ten, r#","modulo":20"#], &[500, 510, 540, 530, 550]), Some(1));
        assert_eq!(lost(&[ten, ""], &[500, 510]), Some(9));
        // A stream that does not keep its step.
        assert_eq!(lost(&[ten], &[500, 505, 520]), Some(2));
        assert_eq!(lost(&[ten], &[500]), Some(0));
        assert_eq!(lost(&[], &[7, 7, 7]), Some(0));
        assert_eq!(lost(&[], &[]), None);
    }

    #[test]
    fn missing_frames_are_lost_within_a_series() {
        let mut tally = ChannelTally::default();
        for (series, frame) in [(1, None), (1, None)] {
            follow(&mut tally, series, frame);
        }
        assert_eq!(tally.lost(), None);
        for (series, frame) in [(1, Some(0)), (1, Some(1)), (1, None), (1, Some(5)), (2, Some(9))] {
            follow(&mut tally, series, frame);
        }
        assert_eq!(tally.lost(), Some(3));
        // In another order, none is missing; nor is any if the numbers start again.
        let (mixed, again) = ([2, 0, 1, 4, 3, 6, 5, 900, 901], [0, 1, 3]);
        mixed.into_iter().chain(again).for_each(|frame| follow(&mut tally, 3, Some(frame)));
        assert_eq!(tally.lost(), Some(3 + 893 + 1));
    }
}
