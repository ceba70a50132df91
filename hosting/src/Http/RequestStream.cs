using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Http
{
    /// <summary>The request's body as a stream: bytes go from native to the reader's own buffer.</summary>
    internal sealed class RequestStream : ReadOnlyStream
    {
        private readonly RequestInput _input;
        private readonly RequestPipeReader _pipe;
        private readonly IHttpBodyControlFeature _control;

        public RequestStream(RequestInput input, RequestPipeReader pipe, IHttpBodyControlFeature control)
        {
            _input = input;
            _pipe = pipe;
            _control = control;
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            SynchronousIO.Check(_control, "ReadAsync");
            var span = new Span<byte>(buffer, offset, count);
            return _pipe.Buffered.IsEmpty ? _input.Read(span) : ReadBuffered(span);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(new Memory<byte>(buffer, offset, count), cancellationToken).AsTask();

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            return _pipe.Buffered.IsEmpty
                ? _input.ReadAsync(buffer, cancellationToken)
                : new ValueTask<int>(ReadBuffered(buffer.Span));
        }

        /// <summary>Somebody read by the pipe and left this.</summary>
        private int ReadBuffered(Span<byte> buffer)
        {
            var buffered = _pipe.Buffered;
            var length = Math.Min(buffered.Length, buffer.Length);
            buffered.Slice(0, length).CopyTo(buffer);
            _pipe.Consume(length);
            return length;
        }
    }
}
