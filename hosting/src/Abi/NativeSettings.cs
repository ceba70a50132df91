namespace Ancm.Hosting.Abi
{
    /// <summary>What the app is told once.</summary>
    internal readonly struct NativeSettings
    {
        public readonly Slice PathBase;
        public readonly Slice PhysicalPath;
        /// <summary>As <c>ASPNETCORE_IIS_HTTPAUTH</c>: <c>windows;basic;anonymous;</c> or <c>none</c>.</summary>
        public readonly Slice Authentication;
        /// <summary>URLs with semicolons between them.</summary>
        public readonly Slice Addresses;
        /// <summary>In bytes, −1 for no limit.</summary>
        public readonly long MaxRequestBody;
        public readonly uint WebSockets;
        public readonly uint DetailedErrors;
        /// <summary>In milliseconds.</summary>
        public readonly ulong ShutdownTimeLimit;
    }
}
