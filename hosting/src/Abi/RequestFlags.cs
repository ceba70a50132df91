using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>What may be done with a request.</summary>
    [Flags]
    internal enum RequestFlags : uint
    {
        None = 0,
        HasBody = 1,
        /// <summary>It may become another protocol's by 101, or is an extended CONNECT.</summary>
        CanUpgrade = 2,
        /// <summary>200 instead of 101 begins the new protocol (RFC 8441).</summary>
        ExtendedConnect = 4,
        /// <summary>The first read asks the client for the body.</summary>
        ExpectsContinue = 8,
        /// <summary>The app may run before the callback returns.</summary>
        RunHere = 16,
    }
}
