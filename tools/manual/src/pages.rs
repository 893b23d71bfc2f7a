//! What each page has besides options.

use clap::Command;
use cos_emulator::Switches;
use cos_slice::protocol::regions;

use crate::page::{Example, Page, Section, Term};
use crate::{arguments, emulator_arguments};

const UPLOAD_EXAMPLES: &[Example] = &[
    Example {
        does: "Upload a file, and print its access URL; the same again resumes where that was interrupted:",
        line: "cos-slice upload big.mp4 cos://videos/2026/big.mp4",
    },
    Example {
        does: "Replace an object that has other content, and print one JSON object for a script:",
        line: "cos-slice upload --overwrite --json big.mp4 cos://videos/2026/big.mp4",
    },
    Example {
        does: "Upload what another program writes, by way of a temporary file:",
        line: "tar c logs | cos-slice upload - cos://backups/logs.tar",
    },
    Example {
        does: "The same while it is written; its size has to be known:",
        line: "tar c logs | cos-slice upload --size 52428800 - cos://backups/logs.tar",
    },
    Example {
        does: "Upload to a server that is not the service itself:",
        line: "cos-slice upload --endpoint http://127.0.0.1:9000 big.mp4 cos://videos/big.mp4",
    },
];

const STATUS_EXAMPLES: &[Example] = &[Example {
    does: "See what is at a path:",
    line: "cos-slice status cos://videos/2026/big.mp4",
}];

const EMULATOR_EXAMPLES: &[Example] = &[
    Example {
        does: "A service on a folder:",
        line: "cos-emulator --dir ./cos-data --app-id 1251668577 --secret-id AKIDtest --secret-key secret",
    },
    Example {
        does: "On a port that the system chooses and with TLS, where each slice must be of 1 MiB:",
        line: "cos-emulator --dir ./cos-data --listen 127.0.0.1:0 --tls --set slice_policy=only_1m --app-id 1251668577 \
               --secret-id AKIDtest --secret-key secret",
    },
];

/// Every page of both programs.
pub fn all<'a>(cos_slice: &'a Command, cos_emulator: &'a Command) -> Vec<Page<'a>> {
    let page = |program, command: &'a Command, sections| Page {
        program,
        command,
        sections,
    };
    let mut pages = vec![
        page(
            cos_slice,
            cos_slice,
            command_sections(&[files()], UPLOAD_EXAMPLES),
        ),
        page(cos_emulator, cos_emulator, emulator_sections()),
    ];
    for command in cos_slice.get_subcommands() {
        let sections = match command.get_name() {
            "upload" => command_sections(&[files()], UPLOAD_EXAMPLES),
            _ => command_sections(&[], STATUS_EXAMPLES),
        };
        pages.push(page(cos_slice, command, sections));
    }
    pages
}

/// Of `cos-slice` and its subcommands.
fn command_sections(own: &[Section], examples: &'static [Example]) -> Vec<Section> {
    let mut sections = vec![
        Section::Text("REGIONS", format!("{}.", regions::List)),
        Section::Terms("ENVIRONMENT", terms(arguments::ENVIRONMENT)),
    ];
    sections.extend_from_slice(own);
    sections.extend([
        Section::Terms("EXIT STATUS", terms(arguments::EXIT_STATUS)),
        Section::Examples(examples),
        Section::Text(
            "SEE ALSO",
            "cos-slice(1), cos-slice-upload(1), cos-slice-status(1), cos-emulator(1)".to_owned(),
        ),
    ]);
    sections
}

/// What an upload uses besides the file itself.
fn files() -> Section {
    let checkpoints = "what a later run needs of an upload that is unfinished, without any secret; --checkpoint-dir names \
                       another folder. On macOS it is in ~/Library/Application Support.";
    let spool = "where a temporary file without a name is made of a standard input of unknown size; --spool-dir names another \
                 folder.";
    Section::Terms(
        "FILES",
        terms(&[
            ("$XDG_STATE_HOME/cos-slice, ~/.local/state/cos-slice", checkpoints),
            ("$TMPDIR, /tmp", spool),
        ]),
    )
}

fn emulator_sections() -> Vec<Section> {
    let switches = Switches::table().into_iter().map(|switch| {
        let meaning = format!("{}. Values: {}. ({})", switch.text, switch.values, switch.basis);
        (format!("{}={}", switch.name, switch.default), meaning)
    });
    vec![
        Section::Terms("SWITCHES FOR --set, AS THEY ARE BY DEFAULT", switches.collect()),
        Section::Terms(
            "FILES",
            terms(&[
                (
                    "DIR/objects/BUCKET/PATH",
                    "the objects; files put there by hand are objects too.",
                ),
                ("DIR/state", "everything else, unfinished uploads among it."),
                (
                    "DIR/state/tls/ca.pem",
                    "with --tls, the authority that clients have to trust.",
                ),
            ]),
        ),
        Section::Terms("EXIT STATUS", terms(emulator_arguments::EXIT_STATUS)),
        Section::Examples(EMULATOR_EXAMPLES),
        Section::Text("SEE ALSO", "cos-slice(1)".to_owned()),
    ]
}

fn terms(rows: &[(&str, &str)]) -> Vec<Term> {
    rows.iter()
        .map(|(name, meaning)| ((*name).to_owned(), (*meaning).to_owned()))
        .collect()
}
