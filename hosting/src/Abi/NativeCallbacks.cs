using System;

namespace Ancm.Hosting.Abi
{
    /// <summary>What managed offers, as it lies in memory.</summary>
    internal struct NativeCallbacks
    {
        public uint Size;
        public uint Version;
        public IntPtr OnRequest;
        public IntPtr OnReadReady;
        public IntPtr OnWriteReady;
        public IntPtr OnAbort;
        public IntPtr OnShutdown;
        public IntPtr OnDrained;
    }
}
