//! The protocols that the service speaks, and what each says of itself.

use std::io::Read;

use super::dialect::Dialect;
use super::location::Location;
use super::reply::{Head, ReplyError};
use super::{Answer, Operation, OperationKind, Request, json_v1, json_v2};

/// A protocol of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Api {
    /// The JSON API's second version, `files/v2`: slices in any order, then a finish.
    #[default]
    FilesV2,
    /// Its first version, `files/v1`: slices one after another; the last one makes the object.
    FilesV1,
}

/// What an upload has to go by in a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The answer to init names the offset to go on at; there is no list. Whenever a slice was not answered as stored, init
    /// is asked again, with the session.
    pub server_names_offset: bool,
    /// Slices may be under way at the same time.
    pub parallel: bool,
    /// A request of its own makes the object. Otherwise the slice that completes it does.
    pub has_finish: bool,
    /// Init must have the object's SHA-1.
    pub needs_digest: bool,
    /// Where init has the object's SHA-1 it has the running states of its parts too.
    pub wants_states: bool,
}

impl Api {
    /// Every protocol.
    pub const ALL: [Self; 2] = [Self::FilesV2, Self::FilesV1];

    /// The number in the C interface, which never changes.
    pub fn number(self) -> i32 {
        match self {
            Self::FilesV2 => 2,
            Self::FilesV1 => 1,
        }
    }

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::FilesV2 => "files/v2",
            Self::FilesV1 => "files/v1",
        }
    }

    /// What every address of this protocol begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::FilesV2 => json_v2::PREFIX,
            Self::FilesV1 => json_v1::PREFIX,
        }
    }

    /// What an upload has to go by.
    pub fn rules(self) -> Rules {
        match self {
            Self::FilesV2 => json_v2::RULES,
            Self::FilesV1 => json_v1::RULES,
        }
    }

    /// An operation's name on the wire, as error texts print it.
    pub fn operation_name(self, kind: OperationKind) -> &'static str {
        match self {
            Self::FilesV2 => json_v2::operation_name(kind),
            Self::FilesV1 => json_v1::operation_name(kind),
        }
    }

    /// The request of an operation on an object, as the store wants it. `boundary_nonce` is 128 random bits, fresh for each request: they keep
    /// contents from being taken for form syntax.
    pub fn encode(
        self,
        operation: &Operation,
        location: &Location,
        dialect: &Dialect,
        boundary_nonce: u128,
    ) -> Request {
        match self {
            Self::FilesV2 => json_v2::encode(operation, location, dialect, boundary_nonce),
            Self::FilesV1 => json_v1::encode(operation, location, dialect, boundary_nonce),
        }
    }

    /// Reads the reply to an operation, as it comes.
    ///
    /// # Errors
    ///
    /// [`ReplyError::Refused`] where the service said no or the reply makes no sense, [`ReplyError::Read`] where the
    /// body did not arrive.
    pub fn decode(
        self,
        operation: &Operation,
        head: &Head,
        body: &mut dyn Read,
    ) -> Result<Answer, ReplyError> {
        match self {
            Self::FilesV2 => json_v2::decode(operation, head, body),
            Self::FilesV1 => json_v1::decode(operation, head, body),
        }
    }
}
