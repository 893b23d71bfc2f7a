//! A large file over TLS, against rustls with nothing around it.

use std::process::Command;

use super::large_file::name;
use super::{Bench, CommandOf, figures, findings, row, speed_of, variant};
use crate::process::{Broken, ServerOptions};
use crate::rounds::{Connections, Place};
use crate::table::{Findings, Goal};

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let size = bench.sizes.large;
    let file = bench.files.full(size)?;
    let (client, sent) = (bench.programs.client.clone(), file.clone());
    let bare: CommandOf = Box::new(move |place: &Place, connections| {
        let mut command = Command::new(&client);
        command.arg("rustls").arg(place.address.to_string()).arg(&sent);
        command.args(["--connections", &connections.to_string()]);
        if let Some(authority) = place.authority {
            command.arg("--ca").arg(authority);
        }
        command
    });
    let mut variants = [
        variant(
            "engine",
            bench.engine("engine", &file, &[]),
            Connections::Best,
            size,
        ),
        variant("rustls", bare, Connections::Best, size),
    ];
    for variant in &mut variants {
        variant.server = ServerOptions {
            tls: Some(bench.files.path("authority.pem")),
            ..ServerOptions::default()
        };
    }
    let measured = bench.runner.measure(&variants)?;
    let [engine, bare] = &measured[..] else {
        unreachable!("one for each variant");
    };
    let rows = vec![row(
        &format!(
            "{} over https (TLS 1.3, AES-GCM): throughput against rustls alone",
            name(size)
        ),
        Goal::AtLeast(0.8),
        speed_of(engine, bare),
        "",
        format!("{}; {}", figures(engine), figures(bare)),
    )?];
    Ok(findings(rows, measured))
}
