using System;
using System.Runtime.InteropServices;

namespace Ancm.Hosting.Abi
{
    /// <summary>The signatures of both directions.</summary>
    internal static unsafe class Functions
    {
        private const CallingConvention C = CallingConvention.Cdecl;

        [UnmanagedFunctionPointer(C)]
        public delegate Status Register(IntPtr host, NativeCallbacks* callbacks);

        /// <summary>Also <c>stop_incoming</c> and <c>stopped</c>.</summary>
        [UnmanagedFunctionPointer(C)]
        public delegate void ForHost(IntPtr host);

        [UnmanagedFunctionPointer(C)]
        public delegate void MainEnded(IntPtr host, int exitCode);

        [UnmanagedFunctionPointer(C)]
        public delegate void MainFailed(IntPtr host, Slice message, Slice detail);

        [UnmanagedFunctionPointer(C)]
        public delegate void Log(IntPtr host, LogLevel level, Slice text);

        [UnmanagedFunctionPointer(C)]
        public delegate Status Read(ulong id, byte* buffer, UIntPtr length, UIntPtr* read);

        [UnmanagedFunctionPointer(C)]
        public delegate Status RequestTrailers(ulong id, Field** fields, uint* count);

        [UnmanagedFunctionPointer(C)]
        public delegate Status SetMaxBody(ulong id, long limit);

        [UnmanagedFunctionPointer(C)]
        public delegate Status Informational(ulong id, uint status, Field* fields, uint count);

        [UnmanagedFunctionPointer(C)]
        public delegate Status Start(
            ulong id, uint status, Slice reason, Field* fields, uint count, Slice body, BodyFlags flags);

        [UnmanagedFunctionPointer(C)]
        public delegate Status Write(ulong id, Slice body, BodyFlags flags);

        [UnmanagedFunctionPointer(C)]
        public delegate Status Trailers(ulong id, Field* fields, uint count);

        [UnmanagedFunctionPointer(C)]
        public delegate Status Reset(ulong id, uint errorCode);

        /// <summary><c>complete</c>, and the callback for a client that left.</summary>
        [UnmanagedFunctionPointer(C)]
        public delegate void ForRequest(ulong id);

        [UnmanagedFunctionPointer(C)]
        public delegate void GoOn(ulong id, RequestFlags flags);

        [UnmanagedFunctionPointer(C)]
        public delegate void OnRequest(ulong id, NativeRequest* request);

        [UnmanagedFunctionPointer(C)]
        public delegate void Notice();
    }
}
