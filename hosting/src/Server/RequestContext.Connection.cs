using System.Net;
using System.Security.Claims;
using System.Security.Cryptography.X509Certificates;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace Ancm.Hosting.Server
{
    /// <content>Who asks, and by which way.</content>
    internal abstract partial class RequestContext : IHttpConnectionFeature, ITlsConnectionFeature
    {
        private X509Certificate2? _certificateOfApp;

        string IHttpConnectionFeature.ConnectionId { get; set; } = "";

        IPAddress? IHttpConnectionFeature.RemoteIpAddress { get; set; }

        IPAddress? IHttpConnectionFeature.LocalIpAddress { get; set; }

        int IHttpConnectionFeature.RemotePort { get; set; }

        int IHttpConnectionFeature.LocalPort { get; set; }

        X509Certificate2 ITlsConnectionFeature.ClientCertificate
        {
            get => (_certificateOfApp ?? Connection.ClientCertificate)!;
            set => _certificateOfApp = value;
        }

        /// <summary>Whom the front authenticated; null where nobody.</summary>
        public ClaimsPrincipal? WindowsUser { get; private set; }

        private Connection Connection { get; set; } = null!;

        Task<X509Certificate2> ITlsConnectionFeature.GetClientCertificateAsync(CancellationToken cancellationToken) =>
            Task.FromResult(((ITlsConnectionFeature)this).ClientCertificate);

        private unsafe void ReadConnection(in NativeRequest native)
        {
            ref readonly var facts = ref *native.Connection;
            var connection = Connection = Connections.Of(facts);
            IHttpConnectionFeature feature = this;
            feature.ConnectionId = connection.Id;
            feature.RemoteIpAddress = connection.RemoteAddress;
            feature.RemotePort = connection.RemotePort;
            feature.LocalIpAddress = connection.LocalAddress;
            feature.LocalPort = connection.LocalPort;
            _certificateOfApp = null;
            if (native.IsSecure || connection.HasCertificate)
            {
                Set<ITlsConnectionFeature>(this);
            }
            // Not known where another proxy speaks TLS.
            if (connection.Tls != null)
            {
                Set<ITlsHandshakeFeature>(connection.Tls);
            }
            if (_version == NativeRequest.Http2)
            {
                Set<IHttpResponseTrailersFeature>(this);
                Set<IHttpResetFeature>(this);
            }
            OfferUpgrade(native.Flags);
            ReadUser(native.User);
        }

        /// <summary>ANCM: a user is told where the configuration offers Windows or Basic authentication.</summary>
        private unsafe void ReadUser(NativeUser* user)
        {
            WindowsUser = null;
            if (user == null || !_service.Settings.ForwardsUser)
            {
                return;
            }
            WindowsUser = WindowsUsers.Read(*user);
            if (_service.AutomaticAuthentication)
            {
                Set<IHttpAuthenticationFeature>(new HttpAuthenticationFeature { User = WindowsUser });
            }
            // Where the authentication handler finds it.
            Set<RequestContext>(this);
        }
    }
}
