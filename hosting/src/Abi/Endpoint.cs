using System;
using System.Net;

namespace Ancm.Hosting.Abi
{
    /// <summary>An IP address and a port.</summary>
    internal unsafe struct Endpoint
    {
        private fixed byte _address[16];
        private readonly uint _length;
        private readonly uint _port;

        public readonly int Port => (int)_port;

        /// <summary>None for a Unix socket.</summary>
        public readonly IPAddress? Address()
        {
            fixed (byte* address = _address)
            {
                return _length == 0 ? null : new IPAddress(new ReadOnlySpan<byte>(address, (int)_length));
            }
        }
    }
}
