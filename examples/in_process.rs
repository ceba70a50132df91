//! Hosts a published ASP.NET Core app in this very process.
//!
//!     cargo run --features in-process,front --example in_process -- FOLDER [ADDRESS] [THREADS]

#[cfg(unix)]
use std::{env, error::Error, path::PathBuf};

#[cfg(unix)]
use ancm::{
    config::{Config, ProcessVars},
    front::Front,
    in_process::clr::{Blocked, Ended, Launch},
};

#[cfg(not(unix))]
fn main() {
    panic!("ASP.NET Core is not hosted in process on this system");
}

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    // Before there is any other thread: CoreCLR would take the signals for itself.
    let signals = Blocked::new()?;
    tracing_subscriber::fmt().init();
    let mut arguments = env::args_os().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?).canonicalize()?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:5000".into());
    let mut front = Front::new().extended_connect(true);
    if let Some(threads) = arguments.next() {
        front = front.threads(threads.to_string_lossy().parse()?);
    }
    env::set_current_dir(&folder)?;
    let config = Config::load(&folder, None, &ProcessVars::default())?.config;
    let code = tokio::runtime::Runtime::new()?.block_on(async {
        let front = front.bind(&[address.to_string_lossy().parse()?])?;
        let launch =
            Launch::new(&config, &ProcessVars::default())?.addresses(front.local_addresses());
        let app = launch.start().await?;
        let service = app.service();
        let mut signals = signals.listen()?;
        let stop = async {
            tokio::select! {
                _ = signals.next() => app.stop(),
                () = app.stopped() => {}
            }
        };
        front
            .serve(move |connection| service.for_connection(connection), stop)
            .await?;
        match app.ended().await {
            Ended::Returned(code) => Ok::<_, Box<dyn Error>>(code),
            ended @ (Ended::Threw { .. } | _) => Err(format!("{ended:?}").into()),
        }
    })?;
    // Main's thread stays, and with it all of CoreCLR: the process is ended from here.
    std::process::exit(code)
}
