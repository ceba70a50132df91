//! `ancm check`: says what `run` would do with the same options.

use std::{
    fmt,
    io::{self, Write},
};

use crate::{args::Run, failure::Failure, front, run::Target};

/// The width of the column of names, as in the library's report.
const WIDTH: usize = 24;

/// Prints what was understood. What is wrong is an error before.
pub(crate) fn check(run: &Run) -> Result<(), Failure> {
    let target = Target::of(&run.app, &run.trusted)?;
    // What is wrong with a certificate, too.
    front::tls(&run.listen, &run.https)?;
    match io::stdout().write_all(report(run, &target).as_bytes()) {
        // Who reads only the first lines has what they wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::other(
            format_args!("can't write to stdout: {error}"),
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn report(run: &Run, target: &Target) -> String {
    let mut text = match target {
        Target::Read(loaded, _) => loaded.report().to_string(),
        Target::Made(config) => config.report().to_string(),
        Target::Fixed(address, _) => row("forwards to", address),
    };
    if let (Target::Fixed(..), [_, ..]) = (target, &*run.trusted) {
        let trusted: Vec<_> = run.trusted.iter().map(ToString::to_string).collect();
        text.push_str(&row("trustedProxies", trusted.join(", ")));
    }
    for listener in &run.listen {
        text.push_str(&row("listens on", listener));
    }
    for (chain, _) in &run.https.certificates {
        text.push_str(&row("certificate", chain.display()));
    }
    text.push_str(&target.limits(&run.limits).to_string());
    text.push_str(&match run.threads {
        Some(threads) => row("threads", threads),
        None => row("threads", "one per core"),
    });
    text
}

fn row(name: &str, value: impl fmt::Display) -> String {
    format!("{name:<WIDTH$}  {value}\n")
}
