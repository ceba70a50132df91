using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>Native's table of functions, as it lies in memory.</summary>
    internal readonly unsafe struct NativeTable
    {
        public const uint CurrentVersion = 2;

        public readonly uint Size;
        public readonly uint Version;
        public readonly NativeSettings* Settings;
        public readonly IntPtr Host;
        public readonly IntPtr Register;
        public readonly IntPtr StopIncoming;
        public readonly IntPtr Stopped;
        public readonly IntPtr MainEnded;
        public readonly IntPtr MainFailed;
        public readonly IntPtr Log;
        public readonly IntPtr Read;
        public readonly IntPtr RequestTrailers;
        public readonly IntPtr SetMaxBody;
        public readonly IntPtr Informational;
        public readonly IntPtr Start;
        public readonly IntPtr Write;
        public readonly IntPtr Trailers;
        public readonly IntPtr Reset;
        public readonly IntPtr Complete;
    }
}
