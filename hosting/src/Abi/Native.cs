using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Ancm.Hosting.Abi
{
    /// <summary>
    /// Calls native. The functions are delegates in fields that never change, which the second tier of the JIT takes
    /// for constants.
    /// </summary>
    internal static unsafe class Native
    {
        private static readonly NativeTable* _table = NativeHost.Table;
        private static readonly IntPtr _host = _table->Host;
        private static readonly Functions.Read _read = Function<Functions.Read>(_table->Read);
        private static readonly Functions.Start _start = Function<Functions.Start>(_table->Start);
        private static readonly Functions.Write _write = Function<Functions.Write>(_table->Write);
        private static readonly Functions.ForRequest _complete = Function<Functions.ForRequest>(_table->Complete);

        public static ref readonly NativeSettings Settings => ref *_table->Settings;

        public static Status Register(NativeCallbacks* callbacks) =>
            Function<Functions.Register>(_table->Register)(_host, callbacks);

        public static void StopIncoming() => Function<Functions.ForHost>(_table->StopIncoming)(_host);

        public static void Stopped() => Function<Functions.ForHost>(_table->Stopped)(_host);

        public static void MainEnded(int exitCode) =>
            Function<Functions.MainEnded>(_table->MainEnded)(_host, exitCode);

        public static void Log(LogLevel level, string text)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            fixed (byte* data = bytes)
            {
                Function<Functions.Log>(_table->Log)(_host, level, new Slice(data, bytes.Length));
            }
        }

        public static Status Read(ulong id, Span<byte> buffer, out int read)
        {
            fixed (byte* data = buffer)
            {
                UIntPtr count;
                var status = _read(id, data, (UIntPtr)(uint)buffer.Length, &count);
                read = status == Status.Ok ? (int)count : 0;
                return status;
            }
        }

        public static Status RequestTrailers(ulong id, out ReadOnlySpan<Field> fields)
        {
            Field* first;
            uint count;
            var status = Function<Functions.RequestTrailers>(_table->RequestTrailers)(id, &first, &count);
            fields = status == Status.Ok ? new ReadOnlySpan<Field>(first, checked((int)count)) : default;
            return status;
        }

        public static Status SetMaxBody(ulong id, long limit) =>
            Function<Functions.SetMaxBody>(_table->SetMaxBody)(id, limit);

        public static Status Start(
            ulong id, int status, Slice reason, Field* fields, int count, ReadOnlySpan<byte> body, BodyFlags flags)
        {
            fixed (byte* data = body)
            {
                return _start(id, (uint)status, reason, fields, (uint)count, new Slice(data, body.Length), flags);
            }
        }

        public static Status Write(ulong id, ReadOnlySpan<byte> body, BodyFlags flags)
        {
            fixed (byte* data = body)
            {
                return _write(id, new Slice(data, body.Length), flags);
            }
        }

        public static Status Trailers(ulong id, Field* fields, int count) =>
            Function<Functions.Trailers>(_table->Trailers)(id, fields, (uint)count);

        public static Status Reset(ulong id, int errorCode) =>
            Function<Functions.Reset>(_table->Reset)(id, (uint)errorCode);

        public static void Complete(ulong id) => _complete(id);

        private static T Function<T>(IntPtr address) where T : Delegate =>
            Marshal.GetDelegateForFunctionPointer<T>(address);
    }
}
