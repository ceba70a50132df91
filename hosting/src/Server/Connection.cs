using System;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Http;

namespace Ancm.Hosting.Server
{
    /// <summary>What is known of a connection, turned into managed objects once for all its requests.</summary>
    internal sealed class Connection
    {
        /// <summary>The ids of another process, before a restart or beside this one, are others.</summary>
        private static readonly ulong _firstId = (ulong)DateTime.UtcNow.Ticks;

        private readonly byte[]? _certificate;
        private X509Certificate2? _parsed;
        private int _requests;

        public Connection(in ConnectionFacts facts)
        {
            Number = facts.Id;
            Id = Base32.Text(_firstId + facts.Id);
            RemoteAddress = facts.Peer.Address();
            RemotePort = facts.Peer.Port;
            LocalAddress = facts.Local.Address();
            LocalPort = facts.Local.Port;
            _certificate = facts.Certificate.IsEmpty ? null : facts.Certificate.Span.ToArray();
            Tls = facts.TlsVersion == 0
                ? null
                : new TlsFacts(facts.TlsVersion, facts.TlsCipherSuite, Encoding.ASCII.GetString(facts.ServerName.Span));
        }

        public ulong Number { get; }

        public string Id { get; }

        public IPAddress? RemoteAddress { get; }

        public int RemotePort { get; }

        public IPAddress? LocalAddress { get; }

        public int LocalPort { get; }

        public TlsFacts? Tls { get; }

        /// <summary>The client's; a new object costs, and most apps never ask.</summary>
        public X509Certificate2? ClientCertificate
        {
            get
            {
                if (_parsed == null && _certificate != null)
                {
                    // Two requests may parse it at once: one result stays.
                    Interlocked.CompareExchange(ref _parsed, new X509Certificate2(_certificate), null);
                }
                return _parsed;
            }
        }

        public bool HasCertificate => _certificate != null;

        public int NextRequest() => Interlocked.Increment(ref _requests);
    }
}
