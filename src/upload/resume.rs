//! Whether what the server holds of an unfinished upload may be built upon.
//!
//! The server is the truth about *which* bytes it has; this decides whether they can be *our* bytes. A wrong
//! yes would make an object out of two files, so there is a yes only on proof.

use crate::protocol::Unfinished;
use crate::protocol::ranges::Ranges;

use super::task::{Content, Memory};

/// What is known on this side.
pub struct Ours<'a> {
    /// The source, with its SHA-1 while hashing is on.
    pub content: Content,
    /// What is remembered.
    pub memory: &'a Memory,
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
    let content = &ours.content;
    if listed.size != content.size {
        return Verdict::Other(format!(
            "it is of {} bytes, and the source has {}",
            listed.size, content.size
        ));
    }
    match (&listed.sha, &content.sha) {
        (Some(theirs), Some(sha)) if theirs == sha => return Verdict::Adopt(listed.parts.clone()),
        (Some(_), Some(_)) => return Verdict::Other("it is of other content".into()),
        (Some(_), None) => {
            return Verdict::Other(
                "it was begun with a SHA-1, and hashing is off here: turn hashing on to resume it".into(),
            );
        }
        (None, _) => {}
    }
    // Without a digest on the server only memory can tell: it must be the very upload that was begun from here, and each
    // byte there one that was sent from here.
    let begun = ours.memory.began.as_ref();
    // A server may give the same upload another session, but who comes between two requests does that too.
    // And it must have been begun for this content: one without parts has none that would tell.
    let same_upload = begun.is_some_and(|begun| begun.has_session_of(listed) && begun.content == *content);
    let all_ours = listed.parts.iter().all(|range| ours.memory.sent.contains(range));
    if same_upload && all_ours {
        return Verdict::Adopt(listed.parts.clone());
    }
    // An init whose answer was lost leaves an upload without parts; nothing foreign can be built upon. With hashing
    // on ours would have a digest, and one without would be finished unverified.
    let begun_unseen = ours.memory.init_unanswered.as_ref() == Some(content);
    if begun_unseen && listed.parts.is_empty() && content.sha.is_none() {
        return Verdict::Adopt(Ranges::default());
    }
    Verdict::Other("nothing proves that it is of this content".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::digest::Sha1Digest;
    use crate::upload::task::Begun;
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

    fn verdict(listed: &Unfinished, sha: Option<&str>, memory: &Memory) -> Verdict {
        let sha = sha.map(|hex| Sha1Digest::from_str(hex).unwrap());
        let content = Content { size: 300, sha };
        let ours = Ours { content, memory };
        decide(listed, &ours)
    }

    fn remembering(session: &str, sent: &[(u64, u64)]) -> Memory {
        let began = Some(Begun {
            session: session.into(),
            content: Content { size: 300, sha: None },
        });
        Memory {
            began,
            sent: Ranges::from_unsorted(sent.to_vec()),
            ..Memory::default()
        }
    }

    #[test]
    fn an_equal_digest_is_proof() {
        let there = listed(Some(SHA), &[(0, 100)]);
        let adopted = Verdict::Adopt(there.parts.clone());
        assert_eq!(verdict(&there, Some(SHA), &Memory::default()), adopted);
    }

    #[test]
    fn another_digest_or_size_is_never_adopted_whatever_is_remembered() {
        let memory = Memory {
            init_unanswered: Some(Content { size: 300, sha: None }),
            ..remembering("s", &[(0, 300)])
        };
        for there in [
            listed(Some(OTHER_SHA), &[]),
            Unfinished {
                size: 301,
                ..listed(Some(SHA), &[])
            },
        ] {
            assert!(matches!(verdict(&there, Some(SHA), &memory), Verdict::Other(_)));
        }
    }

    #[test]
    fn without_hashing_an_upload_is_ours_only_if_each_of_its_bytes_was_sent_from_here() {
        let there = listed(None, &[(0, 200)]);
        assert!(matches!(
            verdict(&there, None, &remembering("s", &[(0, 200)])),
            Verdict::Adopt(_)
        ));
        assert!(matches!(
            verdict(&there, None, &remembering("s", &[(0, 100)])),
            Verdict::Other(_)
        ));
        assert!(matches!(
            verdict(&there, None, &Memory::default()),
            Verdict::Other(_)
        ));
    }

    #[test]
    fn an_upload_begun_for_other_content_is_not_adopted_though_it_is_ours_and_empty() {
        let mut memory = remembering("s", &[]);
        let there = listed(None, &[]);
        assert!(matches!(verdict(&there, None, &memory), Verdict::Adopt(_)));
        assert!(matches!(verdict(&there, Some(SHA), &memory), Verdict::Other(_)));
        memory.began.as_mut().unwrap().content.sha = Some(Sha1Digest::from_str(OTHER_SHA).unwrap());
        assert!(matches!(verdict(&there, Some(SHA), &memory), Verdict::Other(_)));
        memory.began.as_mut().unwrap().content.sha = Some(Sha1Digest::from_str(SHA).unwrap());
        assert!(matches!(verdict(&there, Some(SHA), &memory), Verdict::Adopt(_)));
    }

    #[test]
    fn without_hashing_the_same_bytes_in_another_session_are_not_ours() {
        let there = listed(None, &[(0, 200)]);
        let memory = remembering("ours", &[(0, 200)]);
        assert!(matches!(verdict(&there, None, &memory), Verdict::Other(_)));
    }

    #[test]
    fn without_hashing_a_hashed_upload_is_not_ours() {
        let memory = Memory {
            init_unanswered: Some(Content { size: 300, sha: None }),
            ..remembering("s", &[(0, 300)])
        };
        assert!(matches!(
            verdict(&listed(Some(SHA), &[]), None, &memory),
            Verdict::Other(_)
        ));
    }

    #[test]
    fn after_a_lost_init_answer_only_an_empty_upload_is_taken_for_ours() {
        let memory = Memory {
            init_unanswered: Some(Content { size: 300, sha: None }),
            ..Memory::default()
        };
        assert_eq!(
            verdict(&listed(None, &[]), None, &memory),
            Verdict::Adopt(Ranges::default())
        );
        assert!(matches!(
            verdict(&listed(None, &[(0, 100)]), None, &memory),
            Verdict::Other(_)
        ));
        assert!(matches!(
            verdict(&listed(None, &[]), None, &Memory::default()),
            Verdict::Other(_)
        ));
        assert!(matches!(
            verdict(&listed(None, &[]), Some(SHA), &memory),
            Verdict::Other(_)
        ));
    }
}
