//! Scenarios against the real thing: the `ancm` program in front of a published ASP.NET Core app, and in
//! front of the same app in Rust.
//!
//! Each scenario is one function over [`At`]: which app, at which path base, over which protocol. What the
//! app reports is compared with what the client did. `tests/aspnetcore/publish.sh` brings .NET along; not on Windows, where
//! the app in Rust is the only one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod at;
mod bodies;
mod events;
mod headers;
mod life;
mod operation;
#[cfg(unix)]
mod parity;
mod raw;
mod request;
mod secure;
mod sockets;
#[cfg(unix)]
mod twins;

use crate::{
    at::At,
    support::{apps::App, client::Protocol},
};

/// Makes a test of each scenario that is named, at the place that the module says.
macro_rules! tests {
    ($at:expr => $($group:ident :: { $($scenario:ident),+ $(,)? })+) => {
        $( mod $group { $(
            #[test]
            fn $scenario() {
                $at.run(crate::$group::$scenario);
            }
        )+ } )+
    };
}

/// The scenarios of every protocol.
macro_rules! of_both_protocols {
    ($at:expr) => {
        tests! { $at =>
            request::{
                comes_from_the_clients_socket,
                keeps_its_raw_target,
                keeps_its_host,
                keeps_its_query,
                keeps_its_method,
                matches_the_path_base_in_any_case,
            }
            headers::{
                arrive_unchanged,
                that_are_long_or_not_ascii_arrive,
                of_a_shutdown_can_not_be_forged,
                that_are_crumbs_of_a_cookie_arrive_as_one,
            }
            bodies::{
                of_known_length_arrive_whole,
                of_unknown_length_arrive_whole,
                can_be_empty,
                come_back_whole,
                flow_both_ways_at_once,
            }
            answers::{
                keep_their_status,
                keep_their_headers,
                to_head_have_no_body,
                without_a_body_have_none,
                that_are_compressed_pass_unchanged,
                are_not_held_back_by_an_upload,
                do_not_get_mixed_up,
                that_break_off_are_broken_off,
                are_not_waited_for_when_the_client_is_gone,
                are_not_sent_on_when_the_client_is_gone,
            }
            events::{ come_one_by_one }
            sockets::{
                echo_text_and_binary,
                choose_a_subprotocol,
                close_with_the_clients_code,
                close_with_the_apps_code,
                are_refused_where_the_app_has_none,
            }
        }
    };
}

/// What only HTTP/1.1 has.
macro_rules! of_http1 {
    ($at:expr) => {
        tests! { $at =>
            raw::{
                http10_is_answered_and_closed,
                absolute_form_is_understood,
                asterisk_form_reaches_the_app,
                a_hundred_is_said_when_the_app_reads,
                requests_in_one_go_are_answered_in_order,
            }
        }
    };
}

/// What a proxy does, and nobody where there is none.
macro_rules! of_a_proxy {
    ($at:expr) => {
        tests! { $at =>
            request::{ for_a_trace_is_refused }
            headers::{ of_the_module_can_not_be_forged, of_the_module_can_not_be_forged_in_trailers }
            answers::{ that_never_begin_are_a_bad_gateway }
        }
    };
}

/// The same of HTTP/1.1 alone.
macro_rules! of_an_http1_proxy {
    ($at:expr) => {
        tests! { $at =>
            headers::{ of_one_hop_stay_on_it, of_the_module_can_not_be_nominated }
        }
    };
}

macro_rules! out_of_process {
    ($($(#[$only:meta])* $place:ident: $app:ident at $base:literal;)+) => { $(
        $(#[$only])*
        mod $place {
            use super::*;

            mod http1 {
                use super::*;
                const AT: At = At::new(App::$app, $base, Protocol::Http1);
                of_a_proxy!(super::AT);
                mod only {
                    of_an_http1_proxy!(super::super::AT);
                }
            }
            mod http2 {
                use super::*;
                const AT: At = At::new(App::$app, $base, Protocol::Http2);
                of_a_proxy!(super::AT);
            }
        }
    )+ };
}

macro_rules! everywhere {
    ($($(#[$only:meta])* $place:ident: $new:ident $app:ident at $base:literal;)+) => { $(
        $(#[$only])*
        mod $place {
            use super::*;

            mod http1 {
                use super::*;
                const AT: At = At::$new(App::$app, $base, Protocol::Http1);
                of_both_protocols!(super::AT);
                mod only {
                    of_http1!(super::super::AT);
                }
            }
            mod http2 {
                use super::*;
                const AT: At = At::$new(App::$app, $base, Protocol::Http2);
                of_both_protocols!(super::AT);
            }
        }
    )+ };
}

everywhere! {
    #[cfg(unix)]
    stock_at_the_root: new Stock at "/";
    #[cfg(unix)]
    stock_at_a_base: new Stock at "/base";
    #[cfg(unix)]
    stock_in_process_at_the_root: in_process Stock at "/";
    #[cfg(unix)]
    stock_in_process_at_a_base: in_process Stock at "/base";
    #[cfg(unix)]
    modern_at_the_root: new Modern at "/";
    #[cfg(unix)]
    modern_at_a_base: new Modern at "/base";
    #[cfg(unix)]
    modern_by_h2c_at_the_root: by_h2c Modern at "/";
    #[cfg(unix)]
    modern_in_process_at_the_root: in_process Modern at "/";
    #[cfg(unix)]
    modern_in_process_at_a_base: in_process Modern at "/base";
    twin_at_the_root: new Twin at "/";
    twin_at_a_base: new Twin at "/base";
    in_process_at_the_root: new InProcess at "/";
    in_process_at_a_base: new InProcess at "/base";
}

out_of_process! {
    #[cfg(unix)]
    before_stock_at_the_root: Stock at "/";
    #[cfg(unix)]
    before_stock_at_a_base: Stock at "/base";
    #[cfg(unix)]
    before_modern_at_the_root: Modern at "/";
    #[cfg(unix)]
    before_modern_at_a_base: Modern at "/base";
    before_twin_at_the_root: Twin at "/";
    before_twin_at_a_base: Twin at "/base";
}

/// Kestrel has response trailers over HTTP/2 alone, up to .NET 9 at least; in process that is the client's own.
#[cfg(unix)]
mod stock_alone {
    use super::*;
    const AT: At = At::in_process(App::Stock, "/", Protocol::Http2);
    tests! { super::AT => bodies::{ bring_their_trailers } }
}

#[cfg(unix)]
mod modern_alone {
    use super::*;

    mod in_process {
        use super::*;
        const AT: At = At::in_process(App::Modern, "/", Protocol::Http2);
        tests! { super::AT => bodies::{ bring_their_trailers } }
    }
    mod by_h2c {
        use super::*;

        mod http1 {
            use super::*;
            const AT: At = At::by_h2c(App::Modern, "/", Protocol::Http1);
            tests! { super::AT => bodies::{ bring_their_trailers } }
        }
        mod http2 {
            use super::*;
            const AT: At = At::by_h2c(App::Modern, "/", Protocol::Http2);
            tests! { super::AT => bodies::{ bring_their_trailers } }
        }
    }
}

/// Over HTTP/1.1 as well.
mod twin_alone {
    use super::*;

    mod http1 {
        use super::*;
        const AT: At = At::new(App::Twin, "/", Protocol::Http1);
        tests! { super::AT => bodies::{ bring_their_trailers } }
    }
    mod http2 {
        use super::*;
        const AT: At = At::new(App::Twin, "/", Protocol::Http2);
        tests! { super::AT => bodies::{ bring_their_trailers } }
    }
}
