//! An app that is handed the socket it listens on.

use std::{
    net::TcpListener,
    os::fd::AsRawFd,
    process::{Child, Command, Stdio},
};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::{hosted::TOKEN, support::apps::twin, wire::Wire};

/// The twin, told of this file descriptor; killed when dropped.
struct Twin(Child);

impl Twin {
    fn start(fd: &str) -> Self {
        let mut command = Command::new(twin());
        command
            // Nobody listens there: the number is not a port that can be bound to.
            .env("ASPNETCORE_PORT", "1")
            .env("ASPNETCORE_APPL_PATH", "/")
            .env("ASPNETCORE_TOKEN", TOKEN)
            .env("ANCM_LISTEN_FD", fd)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_socket_that_is_handed_over_is_listened_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Across `exec`; the processes that other tests start meanwhile only hold it, and take nothing from it.
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    let _twin = Twin::start(&listener.as_raw_fd().to_string());
    fcntl_setfd(&listener, FdFlags::CLOEXEC).unwrap();
    // Connections wait in the socket until the app takes them, so there is nothing to wait for here.
    let request = format!("GET /x HTTP/1.1\r\nHost: test\r\nMS-ASPNETCORE-TOKEN: {TOKEN}\r\n\r\n");
    let answer = Wire::to(address).ask(request.as_bytes(), false);
    assert_eq!(answer.status, 200);
}

#[test]
fn what_is_no_socket_stops_the_start() {
    for fd in ["x", "0", "99999"] {
        let mut twin = Twin::start(fd);
        assert!(!twin.0.wait().unwrap().success(), "{fd}");
    }
}
