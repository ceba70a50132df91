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
            return ReadAsync(buffer, offset, count).GetAwaiter().GetResult();
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(new Memory<byte>(buffer, offset, count), cancellationToken).AsTask();

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var buffered = _pipe.Buffered;
            if (buffered.IsEmpty)
            {
                return _input.ReadAsync(buffer, cancellationToken);
            }
            // Somebody read by the pipe and left this.
            var length = Math.Min(buffered.Length, buffer.Length);
            buffered.Slice(0, length).CopyTo(buffer.Span);
            _pipe.Consume(length);
            return new ValueTask<int>(length);
        }
    }
}
