using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Tests
{
    /// <summary>A request as native keeps it, and the protocol of what was done with it.</summary>
    internal sealed unsafe class FakeRequest
    {
        private readonly ConcurrentQueue<byte[]> _body = new ConcurrentQueue<byte[]>();
        private readonly TaskCompletionSource<bool> _completed =
            new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly StringBuilder _calls = new StringBuilder();
        private readonly string _method;
        private readonly string _target;
        private readonly RequestFlags _flags;
        private readonly int _version;
        private bool _bodyEnded;

        public FakeRequest(
            ulong id, string method = "GET", string target = "/", RequestFlags flags = RequestFlags.None, int version = 11)
        {
            Id = id;
            _method = method;
            _target = target;
            _flags = flags;
            _version = version;
        }

        public ulong Id { get; }

        /// <summary>What <c>start</c> and <c>write</c> answer.</summary>
        public Status Taking { get; set; } = Status.Ok;

        public long? MaxBody { get; private set; }

        public List<string> Fields { get; private set; } = new List<string>();

        public string User { get; set; } = "";

        /// <summary>The name that the client asked for by SNI; null without TLS.</summary>
        public string? Tls { get; set; }

        /// <summary>Ends when managed has completed the request.</summary>
        public Task Completed => _completed.Task;

        /// <summary>The calls so far, such as <c>start 200 hello END</c>.</summary>
        public string Calls
        {
            get
            {
                lock (_calls)
                {
                    return _calls.ToString().TrimEnd();
                }
            }
        }

        public void AddBody(string text) => _body.Enqueue(Encoding.ASCII.GetBytes(text));

        public void EndBody() => _bodyEnded = true;

        public NativeRequest* Head()
        {
            var query = _target.IndexOf('?');
            var head = (byte*)Marshal.AllocHGlobal(sizeof(NativeRequest));
            new Span<byte>(head, sizeof(NativeRequest)).Clear();
            var texts = (Slice*)head;
            texts[0] = FakeNative.Unmanaged(_method);
            texts[1] = FakeNative.Unmanaged(Tls == null ? "http" : "https");
            texts[2] = FakeNative.Unmanaged("example.org");
            texts[3] = FakeNative.Unmanaged(_target);
            texts[4] = FakeNative.Unmanaged(query < 0 ? _target : _target.Substring(0, query));
            texts[5] = FakeNative.Unmanaged(query < 0 ? "" : _target.Substring(query + 1));
            var rest = (byte*)(texts + 6);
            *(Field**)rest = null;
            ((uint*)rest)[3] = (uint)_version;
            ((uint*)rest)[4] = (uint)_flags;
            *(long*)(rest + 24) = -1;
            *(ConnectionFacts**)(rest + 32) = Connection();
            *(NativeUser**)(rest + 40) = AppUser();
            return (NativeRequest*)head;
        }

        public Status Read(Span<byte> buffer, out int count)
        {
            count = 0;
            if (_body.TryPeek(out var piece))
            {
                // Pieces are small: a buffer that is smaller still gets only a part.
                count = Math.Min(piece.Length, buffer.Length);
                piece.AsSpan(0, count).CopyTo(buffer);
                _body.TryDequeue(out _);
                return Status.Ok;
            }
            return _bodyEnded ? Status.Ok : Status.Pending;
        }

        public Status SetMaxBody(long limit)
        {
            MaxBody = limit;
            return Status.Ok;
        }

        public Status Start(int status, List<string> fields, ReadOnlySpan<byte> body, BodyFlags flags)
        {
            Fields = fields;
            Note($"start {status} {Text(body, flags)}");
            return Taking;
        }

        public Status Write(ReadOnlySpan<byte> body, BodyFlags flags)
        {
            Note("write " + Text(body, flags));
            return Taking;
        }

        public Status SetTrailers(int count)
        {
            Note($"trailers {count}");
            return Status.Ok;
        }

        public Status Reset(uint code)
        {
            Note($"reset {code}");
            return Status.Ok;
        }

        public void OnComplete()
        {
            if (!_completed.TrySetResult(true))
            {
                Note("completed twice");
            }
        }

        private static string Text(ReadOnlySpan<byte> body, BodyFlags flags) => string.Join(" ", new[]
        {
            Encoding.ASCII.GetString(body), flags == BodyFlags.End ? "END" : "",
        }.Where(part => part.Length > 0));

        private ConnectionFacts* Connection()
        {
            var facts = (byte*)Marshal.AllocHGlobal(sizeof(ConnectionFacts));
            new Span<byte>(facts, sizeof(ConnectionFacts)).Clear();
            *(ulong*)facts = Id;
            var tls = (uint*)(facts + 8 + (2 * sizeof(Endpoint)) + sizeof(Slice));
            if (Tls is string name)
            {
                tls[0] = 0x0304;
                tls[1] = 0x1301;
                *(Slice*)(tls + 2) = FakeNative.Unmanaged(name);
            }
            return (ConnectionFacts*)facts;
        }

        private NativeUser* AppUser()
        {
            if (User.Length == 0)
            {
                return null;
            }
            var user = (Slice*)Marshal.AllocHGlobal(sizeof(NativeUser));
            user[0] = FakeNative.Unmanaged(User);
            user[1] = FakeNative.Unmanaged("Kerberos");
            var groups = (Slice*)Marshal.AllocHGlobal(2 * sizeof(Slice));
            groups[0] = FakeNative.Unmanaged("staff");
            groups[1] = FakeNative.Unmanaged("admins");
            *(Slice**)(user + 2) = groups;
            ((ulong*)(user + 2))[1] = 2;
            return (NativeUser*)user;
        }

        private void Note(string call)
        {
            lock (_calls)
            {
                _calls.Append(call.TrimEnd()).Append('\n');
            }
        }
    }
}
