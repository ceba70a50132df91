using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Tests
{
    /// <summary>The native side, played by managed code behind the same table of functions.</summary>
    internal static unsafe class FakeNative
    {
        private static readonly List<Delegate> _kept = new List<Delegate>();
        private static readonly ConcurrentDictionary<ulong, FakeRequest> _requests =
            new ConcurrentDictionary<ulong, FakeRequest>();

        private static Functions.OnRequest _onRequest = null!;
        private static Functions.GoOn _onReadReady = null!;
        private static Functions.GoOn _onWriteReady = null!;
        private static Functions.ForRequest _onAbort = null!;
        private static Functions.Notice _onShutdown = null!;
        private static Functions.Notice _onDrained = null!;

        public static ConcurrentQueue<string> Log { get; } = new ConcurrentQueue<string>();

        /// <summary>How often something was said about a request that is over.</summary>
        public static int Late;

        public static void Install()
        {
            var settings = (IntPtr*)Marshal.AllocHGlobal(sizeof(NativeSettings));
            new Span<byte>(settings, sizeof(NativeSettings)).Clear();
            ((Slice*)settings)[0] = Unmanaged("/Shop");
            ((Slice*)settings)[1] = Unmanaged("/");
            ((Slice*)settings)[2] = Unmanaged("windows;anonymous;");
            ((Slice*)settings)[3] = Unmanaged("http://127.0.0.1:80");
            ((long*)((Slice*)settings + 4))[0] = 1000;
            ((uint*)((Slice*)settings + 4))[2] = 1;

            var table = (IntPtr*)Marshal.AllocHGlobal(sizeof(NativeTable));
            ((uint*)table)[0] = (uint)sizeof(NativeTable);
            ((uint*)table)[1] = NativeTable.CurrentVersion;
            table[1] = (IntPtr)settings;
            table[2] = (IntPtr)42;
            var functions = new Delegate[]
            {
                new Functions.Register(Register), new Functions.ForHost(StopIncoming), new Functions.ForHost(_ => { }),
                new Functions.MainEnded((_, code) => { }), new Functions.MainFailed((host, message, detail) => { }),
                new Functions.Log((host, level, text) => Log.Enqueue(Encoding.UTF8.GetString(text.Span))),
                new Functions.Read(Read), new Functions.RequestTrailers(RequestTrailers),
                new Functions.SetMaxBody((id, limit) => Find(id)?.SetMaxBody(limit) ?? Status.Gone),
                new Functions.Informational((id, status, fields, count) => Status.Ok),
                new Functions.Start(Start),
                new Functions.Write((id, body, flags) => Find(id)?.Write(body.Span, flags) ?? Status.Gone),
                new Functions.Trailers((id, fields, count) => Find(id)?.SetTrailers((int)count) ?? Status.Gone),
                new Functions.Reset((id, code) => Find(id)?.Reset(code) ?? Status.Gone),
                new Functions.ForRequest(Complete),
            };
            for (var index = 0; index < functions.Length; index++)
            {
                _kept.Add(functions[index]);
                table[3 + index] = Marshal.GetFunctionPointerForDelegate(functions[index]);
            }
            AppDomain.CurrentDomain.SetData(
                NativeHost.Property, ((long)table).ToString(CultureInfo.InvariantCulture));
        }

        public static void Begin(FakeRequest request)
        {
            _requests[request.Id] = request;
            _onRequest(request.Id, request.Head());
        }

        public static void Abort(ulong id) => _onAbort(id);

        public static void ReadReady(ulong id, RequestFlags flags = RequestFlags.None) => _onReadReady(id, flags);

        public static void WriteReady(ulong id, RequestFlags flags = RequestFlags.None) => _onWriteReady(id, flags);

        public static void Shutdown() => _onShutdown();

        public static FakeRequest? Find(ulong id)
        {
            if (_requests.TryGetValue(id, out var request))
            {
                return request;
            }
            Interlocked.Increment(ref Late);
            return null;
        }

        private static Status Register(IntPtr host, NativeCallbacks* callbacks)
        {
            Check.Equal((IntPtr)42, host, "host");
            _onRequest = Marshal.GetDelegateForFunctionPointer<Functions.OnRequest>(callbacks->OnRequest);
            _onReadReady = Marshal.GetDelegateForFunctionPointer<Functions.GoOn>(callbacks->OnReadReady);
            _onWriteReady = Marshal.GetDelegateForFunctionPointer<Functions.GoOn>(callbacks->OnWriteReady);
            _onAbort = Marshal.GetDelegateForFunctionPointer<Functions.ForRequest>(callbacks->OnAbort);
            _onShutdown = Marshal.GetDelegateForFunctionPointer<Functions.Notice>(callbacks->OnShutdown);
            _onDrained = Marshal.GetDelegateForFunctionPointer<Functions.Notice>(callbacks->OnDrained);
            return Status.Ok;
        }

        private static void StopIncoming(IntPtr host)
        {
            if (_requests.IsEmpty)
            {
                _onDrained();
            }
        }

        private static Status Read(ulong id, byte* buffer, UIntPtr length, UIntPtr* read)
        {
            var count = 0;
            var status = Find(id)?.Read(new Span<byte>(buffer, (int)length), out count) ?? Status.Gone;
            *read = (UIntPtr)count;
            return status;
        }

        private static Status RequestTrailers(ulong id, Field** fields, uint* count)
        {
            *fields = null;
            *count = 0;
            return Find(id) == null ? Status.Gone : Status.Ok;
        }

        private static Status Start(
            ulong id, uint status, Slice reason, Field* fields, uint count, Slice body, BodyFlags flags)
        {
            var names = new List<string>();
            for (var index = 0; index < count; index++)
            {
                names.Add(Encoding.ASCII.GetString(fields[index].Name) + ": " +
                    Encoding.ASCII.GetString(fields[index].Value));
            }
            return Find(id)?.Start((int)status, names, body.Span, flags) ?? Status.Gone;
        }

        private static void Complete(ulong id)
        {
            if (_requests.TryRemove(id, out var request))
            {
                request.OnComplete();
            }
            else
            {
                Interlocked.Increment(ref Late);
            }
        }

        /// <summary>Lives as long as the process.</summary>
        public static Slice Unmanaged(string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            var memory = (byte*)Marshal.AllocHGlobal(bytes.Length + 1);
            bytes.CopyTo(new Span<byte>(memory, bytes.Length));
            return new Slice(memory, bytes.Length);
        }
    }
}
