//! Whether what the server holds of an unfinished upload may be built upon.
//!
//! The server is the truth about *which* bytes it has; this decides whether they can be *our* bytes. A wrong
//! yes would make an object out of two files, so there is a yes only on proof.

use crate::protocol::Unfinished;
use crate::protocol::digest::Sha1Digest;
use crate::protocol::ranges::Ranges;

use super::task::Memory;

/// What is known on this side.
pub struct Ours<'a> {
    /// The source's size in bytes.
    pub size: u64,
    /// The source's SHA-1, while hashing is on.
    pub sha: Option<Sha1Digest>,
    /// What is remembered.
    pub memory: &'a Memory,
    /// Whether an init of this run was sent and its answer lost: then an upload may be ours without a word.
    pub init_unanswered: bool,
}

/// The decision.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// Go on with its session; these bytes are there and ours.
    Adopt(Ranges),
    /// It is not provably of this content; the sentence says why.
    Other(String),
}

/// Decides about what list answered.
pub fn decide(listed: &Unfinished, ours: &Ours) -> Verdict {
    if listed.size != ours.size {
        return Verdict::Other(format!(
            "it is of {} bytes, and the source has {}",
            listed.size, ours.size
        ));
    }
    match (&listed.sha, &ours.sha) {
        (Some(theirs), Some(sha)) if theirs == sha => return Verdict::Adopt(listed.parts.clone()),
        (Some(_), Some(_)) => return Verdict::Other("it is of other content".into()),
        (Some(_), None) => {
            return Verdict::Other(
                "it was begun with a SHA-1, and hashing is off here: turn hashing on to resume it".into(),
            );
        }
        (None, _) => {}
    }
    // Without a digest on the server only memory can tell: each byte there must be one that was sent from here.
    let all_ours = listed.parts.iter().all(|range| ours.memory.sent.contains(range));
    if ours.memory.began && all_ours {
        return Verdict::Adopt(listed.parts.clone());
    }
    // An init whose answer was lost leaves an upload without parts; nothing foreign can be built upon. With hashing
    // on ours would have a digest, and one without would be finished unverified.
    if ours.init_unanswered && listed.parts.is_empty() && ours.sha.is_none() {
        return Verdict::Adopt(Ranges::default());
    }
    Verdict::Other("nothing proves that it is of this content".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    const SHA: &str = "6082b2ea5a08c73f6329be8c96202e1225a51956";
    const OTHER_SHA: &str = "4916d6bdb7f78e6803698cab32d1586ea457dfc8";

    fn listed(sha: Option<&str>, parts: &[(u64, u64)]) -> Unfinished {
        Unfinished {
            session: "s".into(),
            size: 300,
            slice_size: 100,
            sha: sha.map(|hex| Sha1Digest::from_str(hex).unwrap()),
            serial: None,
            parts: Ranges::from_unsorted(parts.to_vec()),
        }
    }

    fn verdict(listed: &Unfinished, sha: Option<&str>, memory: &Memory, init_unanswered: bool) -> Verdict {
        let sha = sha.map(|hex| Sha1Digest::from_str(hex).unwrap());
        decide(
            listed,
            &Ours {
                size: 300,
                sha,
                memory,
                init_unanswered,
            },
        )
    }

    fn remembering(sent: &[(u64, u64)]) -> Memory {
        Memory {
            began: true,
            sent: Ranges::from_unsorted(sent.to_vec()),
            ..Memory::default()
        }
    }

    #[test]
    fn an_equal_digest_is_proof() {
        let there = listed(Some(SHA), &[(0, 100)]);
        assert_eq!(
            verdict(&there, Some(SHA), &Memory::default(), false),
            Verdict::Adopt(there.parts.clone())
        );
    }

    #[test]
    fn another_digest_or_size_is_never_adopted_whatever_is_remembered() {
        let memory = remembering(&[(0, 300)]);
        for there in [
            listed(Some(OTHER_SHA), &[]),
            Unfinished {
                size: 301,
                ..listed(Some(SHA), &[])
            },
        ] {
            assert!(matches!(
                verdict(&there, Some(SHA), &memory, true),
                Verdict::Other(_)
            ));
        }
    }

    #[test]
    fn without_hashing_an_upload_is_ours_only_if_each_of_its_bytes_was_sent_from_here() {
        let there = listed(None, &[(0, 200)]);
        assert!(matches!(
            verdict(&there, None, &remembering(&[(0, 200)]), false),
            Verdict::Adopt(_)
        ));
        assert!(matches!(
            verdict(&there, None, &remembering(&[(0, 100)]), false),
            Verdict::Other(_)
        ));
        assert!(matches!(
            verdict(&there, None, &Memory::default(), false),
            Verdict::Other(_)
        ));
    }

    #[test]
    fn without_hashing_a_hashed_upload_is_not_ours() {
        let memory = remembering(&[(0, 300)]);
        assert!(matches!(
            verdict(&listed(Some(SHA), &[]), None, &memory, true),
            Verdict::Other(_)
        ));
    }

    #[test]
    fn after_a_lost_init_answer_only_an_empty_upload_is_taken_for_ours() {
        let memory = Memory::default();
        assert_eq!(
            verdict(&listed(None, &[]), None, &memory, true),
            Verdict::Adopt(Ranges::default())
        );
        assert!(matches!(
            verdict(&listed(None, &[(0, 100)]), None, &memory, true),
            Verdict::Other(_)
        ));
        assert!(matches!(
            verdict(&listed(None, &[]), None, &memory, false),
            Verdict::Other(_)
        ));
        assert!(matches!(
            verdict(&listed(None, &[]), Some(SHA), &memory, true),
            Verdict::Other(_)
        ));
    }
}
