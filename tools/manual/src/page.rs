//! One man page: what a table of options says, and sections after it.

use std::error::Error;
use std::io::Write as _;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// A name and what it means.
pub type Term = (String, String);

/// What stands under a heading after the options.
#[derive(Clone)]
pub enum Section {
    /// A paragraph.
    Text(&'static str, String),
    /// Names with what they mean.
    Terms(&'static str, Vec<Term>),
    /// Command lines, each with what it does.
    Examples(&'static [Example]),
}

/// A command line that somebody can use as it is.
pub struct Example {
    pub does: &'static str,
    /// One line for a shell; the last command of a pipe is the program's.
    pub line: &'static str,
}

pub struct Page<'a> {
    /// The program, which an example calls.
    pub program: &'a Command,
    /// What the page is about: the program or one of its subcommands.
    pub command: &'a Command,
    pub sections: Vec<Section>,
}

impl Page<'_> {
    pub fn file_name(&self) -> String {
        format!("{}.1", self.name())
    }

    fn name(&self) -> &str {
        self.command
            .get_display_name()
            .unwrap_or_else(|| self.command.get_name())
    }

    /// The page as man reads it.
    ///
    /// # Errors
    /// An example is not what the program takes.
    pub fn render(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        // The line that --help shows; one with every option in it would be long.
        let usage = self.command.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim().to_owned();
        let man = Man::new(self.command.clone().override_usage(usage));
        // Written here because the date, which would differ from build to build, is to be empty and not left out.
        let title = self.name().to_uppercase();
        let mut text = Vec::new();
        writeln!(
            text,
            ".TH {title} 1 \"\" \"cos-slice {}\" \"User Commands\"",
            env!("CARGO_PKG_VERSION")
        )?;
        man.render_name_section(&mut text)?;
        man.render_synopsis_section(&mut text)?;
        man.render_description_section(&mut text)?;
        man.render_options_section(&mut text)?;
        if self.command.has_subcommands() {
            man.render_subcommands_section(&mut text)?;
        }
        let mut roff = Roff::new();
        for section in &self.sections {
            self.add(section, &mut roff)?;
        }
        roff.to_writer(&mut text)?;
        Ok(text)
    }

    fn add(&self, section: &Section, roff: &mut Roff) -> Result<(), Box<dyn Error>> {
        match section {
            Section::Text(heading, text) => {
                roff.control("SH", [*heading]).text([roman(text)]);
            }
            Section::Terms(heading, terms) => {
                roff.control("SH", [*heading]);
                for (name, meaning) in terms {
                    roff.control("TP", []).text([bold(name)]).text([roman(meaning)]);
                }
            }
            Section::Examples(examples) => {
                roff.control("SH", ["EXAMPLES"]);
                for (index, example) in examples.iter().enumerate() {
                    self.check(example.line)?;
                    if index > 0 {
                        roff.control("PP", []);
                    }
                    roff.text([roman(example.does)]);
                    // As it is, without filling and hyphenation.
                    roff.control("PP", []).control("RS", ["4"]).control("EX", []);
                    roff.text([roman(example.line)]);
                    roff.control("EE", []).control("RE", []);
                }
            }
        }
        Ok(())
    }

    fn check(&self, line: &str) -> Result<(), String> {
        let command = line.rsplit("| ").next().unwrap_or(line);
        let words = command.split_whitespace().take_while(|word| *word != "<");
        match self.program.clone().try_get_matches_from(words) {
            Ok(_) if command.starts_with(self.program.get_name()) => Ok(()),
            Ok(_) => Err(format!(
                "the example does not call {}: {line}",
                self.program.get_name()
            )),
            Err(error) => Err(format!("the example is refused: {line}\n{error}")),
        }
    }
}
