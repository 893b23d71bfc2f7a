//! Slices of which the store has something else than was sent, by its own account.

use super::*;

/// What of this upload is damaged at the store, and the refusal that said so last.
pub(super) struct Damage {
    /// Where the slices begin; at most as many as may be under way at once.
    offsets: Vec<u64>,
    error: Error,
}

impl Machine {
    pub(super) fn note_damage(&mut self, slice: &Slice, error: &Error) {
        let damage = self.damage.get_or_insert_with(|| Damage {
            offsets: Vec::new(),
            error: error.clone(),
        });
        damage.error = error.clone();
        if !damage.offsets.contains(&slice.offset) {
            damage.offsets.push(slice.offset);
        }
    }

    /// The slice was sent again, and taken as it was sent.
    pub(super) fn damage_is_mended(&mut self, slice: &Slice) {
        if let Some(damage) = &mut self.damage {
            damage.offsets.retain(|offset| *offset != slice.offset);
            if damage.offsets.is_empty() {
                self.damage = None;
            }
        }
    }

    pub(super) fn is_damaged(&self, slice: &Slice) -> bool {
        let damage = self.damage.as_ref();
        damage.is_some_and(|damage| damage.offsets.contains(&slice.offset))
    }

    /// The server has the slice, and does not take it once more: all is sent once more, or that was done before.
    pub(super) fn damage_stays(&mut self, slice: &Slice) -> Option<Consequence> {
        match self.damage.take_if(|_| self.cleaned) {
            Some(damage) => {
                self.close(Err(damage.error));
                None
            }
            None => self.leave(slice, Leave::Restart),
        }
    }

    /// Whether the server counts something damaged as sent. Then all of it is sent once more, and that is the end of it.
    pub(super) fn builds_on_damage(&mut self, plan: Option<&Plan>) -> bool {
        let counts = |offset: &u64| plan.is_none_or(|plan| plan.has(*offset..*offset + 1));
        let Some(damage) = self
            .damage
            .as_ref()
            .filter(|damage| damage.offsets.iter().any(counts))
        else {
            return false;
        };
        let error = damage.error.clone();
        match self.cleaned {
            true => self.close(Err(error)),
            false => self.restart(true),
        }
        true
    }
}
