namespace Ancm.Hosting.Abi
{
    /// <summary>What native knows of a request's connection.</summary>
    internal readonly struct ConnectionFacts
    {
        /// <summary>Never twice in one process.</summary>
        public readonly ulong Id;
        public readonly Endpoint Peer;
        public readonly Endpoint Local;
        /// <summary>DER, or empty.</summary>
        public readonly Slice Certificate;
        /// <summary>As on the wire (0x0303 is 1.2), or 0 without TLS.</summary>
        public readonly uint TlsVersion;
        public readonly uint TlsCipherSuite;
        /// <summary>By SNI, or empty.</summary>
        public readonly Slice ServerName;
    }
}
