//! Directories above the object that the service wants and does not have.

use super::*;

impl Machine {
    /// The service knows no such path. Where that may be for want of a directory, and they may be made, they are, once.
    pub(super) fn path_is_missing(&mut self, refusal: &Refusal) {
        let error = Error::refused(&self.name, self.place(), refusal);
        if self.is_uploading() {
            // No earlier attempt can have made an object in a directory that is missing.
            (self.commit_unanswered, self.commit_sent) = (false, false);
        }
        if self.depth == 0 || self.parents_made {
            return self.give_up(error);
        }
        if !self.options.create_parents {
            let advice =
                "A directory above the object may be missing: create it, or turn creating of parents on.";
            return self.give_up(error.with_note(advice));
        }
        self.control(Goal::CreateParent(1));
    }

    fn is_uploading(&self) -> bool {
        matches!(&self.step, Step::Control(control) if matches!(control.goal, Goal::Upload))
    }

    pub(super) fn parent_is_there(&mut self, level: u32) {
        self.events.add(|| Event::DirectoryIsThere { level });
        if level < self.depth {
            return self.control(Goal::CreateParent(level + 1));
        }
        self.parents_made = true;
        self.begin_sending();
    }
}
