using System;
using System.IO;
using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http.Features;

namespace Ancm.Hosting.Http
{
    /// <summary>The response's body as a stream.</summary>
    internal sealed class ResponseStream : Stream
    {
        private readonly ResponseOutput _output;
        private readonly IHttpBodyControlFeature _control;

        public ResponseStream(ResponseOutput output, IHttpBodyControlFeature control)
        {
            _output = output;
            _control = control;
        }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
            SynchronousIO.Check(_control, nameof(FlushAsync));
            _output.Write(default);
        }

        public override Task FlushAsync(CancellationToken cancellationToken) =>
            AsTask(_output.FlushAsync(cancellationToken));

        public override void Write(byte[] buffer, int offset, int count)
        {
            SynchronousIO.Check(_control, nameof(WriteAsync));
            _output.Write(new ReadOnlySpan<byte>(buffer, offset, count));
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            AsTask(_output.WriteAsync(new ReadOnlyMemory<byte>(buffer, offset, count), cancellationToken));

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var written = _output.WriteAsync(buffer, cancellationToken);
            return written.IsCompletedSuccessfully ? Succeeded(written) : new ValueTask(written.AsTask());
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private static ValueTask Succeeded(in ValueTask<FlushResult> done)
        {
            // A finished operation must be asked for its result before its source is used again.
            done.GetAwaiter().GetResult();
            return default;
        }

        private static Task AsTask(in ValueTask<FlushResult> done)
        {
            if (!done.IsCompletedSuccessfully)
            {
                return done.AsTask();
            }
            done.GetAwaiter().GetResult();
            return Task.CompletedTask;
        }
    }
}
