//! What was understood of how requests are forwarded, and of the front.

use std::fmt;

use super::{
    forwarding::HeaderPolicy,
    front::FrontLimits,
    report::{Report, Span, list, on, row, spans},
};

impl Report<'_> {
    pub(super) fn destinations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.config.destinations.iter();
        let to: Vec<_> = to.map(ToString::to_string).collect();
        row(f, "forwards to", to.join(", "))?;
        let check = &self.config.health_check;
        let what = check.path.as_deref().unwrap_or("a connection");
        match check.interval {
            Some(every) => {
                let every = Span(every);
                row(f, "health check", format_args!("{what}, every {every}"))
            }
            None => row(f, "health check", "after failures"),
        }
    }

    pub(super) fn forwarding(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = &self.config.forwarding;
        row(f, "protocol", said.protocol.as_str())?;
        let trusted: Vec<_> = said
            .trusted_proxies
            .iter()
            .map(ToString::to_string)
            .collect();
        let trusted: Vec<_> = trusted.iter().map(String::as_str).collect();
        row(f, "trustedProxies", list(&trusted))?;
        let told: Vec<_> = [
            ("For", said.forwarded_for),
            ("Proto", said.forwarded_proto),
            ("Host", said.forwarded_host),
            ("Prefix", said.forwarded_prefix),
            ("Forwarded", said.forwarded),
            ("Client-Cert", said.client_cert),
        ]
        .into_iter()
        .filter(|(_, policy)| *policy != HeaderPolicy::Off)
        .map(|(name, policy)| format!("{name} {}", policy.as_str()))
        .collect();
        let told: Vec<_> = told.iter().map(String::as_str).collect();
        row(f, "forwarded headers", list(&told))?;
        row(f, "underscores", said.underscores.as_str())?;
        row(f, "via", said.via.as_deref().unwrap_or("none"))?;
        row(f, "traceContext", on(said.trace_context))?;
        row(f, "connectTimeout", Span(said.connect_timeout))?;
        row(f, "continueTimeout", Span(said.continue_timeout))?;
        match said.upload_timeout {
            Some(time) => row(f, "uploadTimeout", Span(time))?,
            None => row(f, "uploadTimeout", "none")?,
        }
        match said.min_upload_rate {
            Some(rate) => {
                let grace = Span(said.upload_grace);
                let rate = format_args!("{rate} bytes a second, after {grace}");
                row(f, "minUploadRate", rate)?;
            }
            None => row(f, "minUploadRate", "none")?,
        }
        if let Some(connections) = said.app_connections {
            row(f, "appConnections", connections)?;
        }
        row(f, "connectionQueueLimit", said.connection_queue_limit)?;
        spans(
            f,
            &[
                ("connectionQueueTime", said.connection_queue_time),
                ("headTimeout", said.head_timeout),
                ("bodyTimeout", said.body_timeout),
                ("totalTimeout", said.total_timeout),
            ],
        )?;
        said.max_body_size.map_or(Ok(()), |bytes| {
            row(f, "maxBodySize", format_args!("{bytes} bytes"))
        })
    }
}

/// What is not set has the front's default, and no line.
impl fmt::Display for FrontLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, number) in [
            ("maxConnections", self.max_connections),
            ("maxHeadSize", self.max_head_size),
            ("maxHeaders", self.max_headers),
            ("maxStreams", self.max_streams),
            ("maxPendingResets", self.max_pending_resets),
            ("maxErrorResets", self.max_error_resets),
        ] {
            number.map_or(Ok(()), |number| row(f, &format!("front {name}"), number))?;
        }
        spans(
            f,
            &[
                ("front headerTimeout", self.header_timeout),
                ("front idleTimeout", self.idle_timeout),
                ("front writeTimeout", self.write_timeout),
                ("front drainTimeout", self.drain_timeout),
                ("front pingInterval", self.ping_interval),
                ("front pingTimeout", self.ping_timeout),
            ],
        )?;
        self.half_close
            .map_or(Ok(()), |half| row(f, "front halfClose", on(half)))
    }
}
