using System.Net.Security;
using System.Security.Authentication;
using Microsoft.AspNetCore.Connections.Features;

namespace Ancm.Hosting.Server
{
    /// <summary>What was agreed upon in the TLS handshake.</summary>
    internal class TlsFacts : ITlsHandshakeFeature
    {
        private readonly TlsCipherSuite _suite;

        public TlsFacts(uint version, uint suite, string serverName)
        {
            _suite = (TlsCipherSuite)suite;
            HostName = serverName;
            Protocol = version switch
            {
                0x0303 => SslProtocols.Tls12,
                0x0304 => SslProtocols.Tls13,
                _ => SslProtocols.None,
            };
        }

        public SslProtocols Protocol { get; }

        /// <summary>Virtual, like the next: newer frameworks have these two in the interface.</summary>
        public virtual TlsCipherSuite? NegotiatedCipherSuite => _suite;

        public virtual string HostName { get; }

        public CipherAlgorithmType CipherAlgorithm => _suite.ToString() switch
        {
            var name when name.Contains("_AES_128_") => CipherAlgorithmType.Aes128,
            var name when name.Contains("_AES_256_") => CipherAlgorithmType.Aes256,
            _ => CipherAlgorithmType.None,
        };

        public int CipherStrength => _suite.ToString() switch
        {
            var name when name.Contains("_AES_128_") => 128,
            var name when name.Contains("_AES_256_") || name.Contains("_CHACHA20_") => 256,
            _ => 0,
        };

        /// <summary>Of the suites in use all authenticate within the cipher.</summary>
        public HashAlgorithmType HashAlgorithm => HashAlgorithmType.None;

        public int HashStrength => 0;

        public ExchangeAlgorithmType KeyExchangeAlgorithm => ExchangeAlgorithmType.None;

        public int KeyExchangeStrength => 0;
    }
}
