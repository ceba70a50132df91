//! A request that never left the process: the app finds what it finds behind the module, by another way.

use http::Request;

use super::{ClientCertificate, PathBaseLayer, stage::Rewrite};
use crate::{Connection, InProcess};

/// Gives the app what the host knows of `request`, where the host lives in this process. Whether it does.
///
/// There is nothing to be checked or believed: who made the extensions is this process itself.
pub(super) fn receive<B>(request: &mut Request<B>) -> bool {
    let Some(hosted) = request.extensions_mut().get_mut::<InProcess>() else {
        return false;
    };
    // Switched on twice is switched on once.
    if !hosted.admit() {
        return true;
    }
    let base = PathBaseLayer::new(hosted.path_base().clone());
    base.rewrite(request);
    let connection = request.extensions().get::<Connection>();
    let (peer, certificate) = connection.map_or((None, None), |connection| {
        (connection.peer(), connection.certificate().cloned())
    });
    if let Some(der) = certificate {
        let certificate = ClientCertificate::of_der(der);
        request.extensions_mut().insert(certificate);
    }
    if let Some(peer) = peer {
        super::forwarded::set_connect_info(request.extensions_mut(), peer);
    }
    #[cfg(all(windows, feature = "host"))]
    super::identity::introduce(request.extensions_mut());
    true
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{PathBase, Shutdown, app::Forwarded};

    fn request(base: &str, uri: &str) -> Request<()> {
        let peer = "192.0.2.7:4711".parse().unwrap();
        let connection = Connection::new(peer)
            .with_scheme(crate::Scheme::Https)
            .with_certificate(Bytes::from_static(b"0\x03\x02\x01\x01"));
        let mut request = Request::get(uri).body(()).unwrap();
        let hosted = InProcess::new(base.parse().unwrap(), Shutdown::new());
        request.extensions_mut().insert(hosted);
        request.extensions_mut().insert(connection);
        request
    }

    #[test]
    fn the_app_finds_what_the_host_knows() {
        let mut request = request("/shop", "/Shop/cart?page=2");
        assert!(receive(&mut request));
        assert_eq!(request.uri(), "/cart?page=2");
        assert!(request.headers().is_empty());
        let extensions = request.extensions();
        assert_eq!(extensions.get::<PathBase>().unwrap().as_str(), "/Shop");
        let certificate = extensions.get::<ClientCertificate>().unwrap();
        assert_eq!(certificate.der().unwrap().len(), 5);
        let forwarded = Forwarded::of(extensions);
        assert_eq!(forwarded.client_address().unwrap().port(), 4711);
        assert_eq!(forwarded.scheme(), crate::Scheme::Https);
    }

    #[test]
    fn a_second_look_changes_nothing() {
        let mut request = request("/shop", "/shop/shop/cart");
        assert!(receive(&mut request));
        assert!(receive(&mut request));
        assert_eq!(request.uri(), "/shop/cart");
    }

    #[test]
    fn any_other_request_is_left_alone() {
        let mut request = Request::get("/shop/cart").body(()).unwrap();
        assert!(!receive(&mut request));
        assert_eq!(request.uri(), "/shop/cart");
        assert!(request.extensions().is_empty());
    }
}
