//! Sections of `system.webServer` that IIS acts on and this module does not: whoever relies on one must know.

/// The section, and what that means for the app. Others, such as `handlers` and `modules`, have nothing to say here.
const IGNORED: [(&str, &str); 12] = [
    ("applicationInitialization", "no warm-up requests are sent"),
    ("caching", "responses are not cached"),
    ("cors", "cross-origin requests are left to the app"),
    ("defaultDocument", "every request goes to the app"),
    ("directoryBrowse", "every request goes to the app"),
    ("httpCompression", "responses are not compressed"),
    ("httpErrors", "the app's error responses pass unchanged"),
    ("httpProtocol", "no headers are added or removed by it"),
    ("httpRedirect", "requests are not redirected by it"),
    ("rewrite", "URLs are not rewritten by it"),
    ("staticContent", "every request goes to the app"),
    ("urlCompression", "responses are not compressed"),
];

/// The same for the sections of `security`, where silence would be a hole.
const IGNORED_SECURITY: [(&str, &str); 6] = [
    (
        "access",
        "TLS and client certificates are not required by it",
    ),
    ("authorization", "nobody is let in or kept out by it"),
    ("dynamicIpSecurity", "no address is kept out by it"),
    ("ipSecurity", "no address is kept out by it"),
    ("isapiCgiRestriction", "there is neither ISAPI nor CGI"),
    // But for the length of bodies.
    ("requestFiltering", "no request is filtered by it"),
];

/// What it means that `section` of `system.webServer` is ignored, where that matters.
pub(super) fn ignored(section: &str) -> Option<&'static str> {
    find(&IGNORED, section)
}

/// The same for `section` of `system.webServer/security`.
pub(super) fn ignored_security(section: &str) -> Option<&'static str> {
    find(&IGNORED_SECURITY, section)
}

fn find(table: &[(&str, &'static str)], section: &str) -> Option<&'static str> {
    let mut rows = table.iter().filter(|(name, _)| *name == section);
    rows.next().map(|&(_, meaning)| meaning)
}
