using System;
using System.IO;
using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The response's body as a pipe. Public, and open for inheritance, because <see cref="ResponseWriters"/> derives from it in
    /// an assembly of its own.
    /// </summary>
    public class ResponsePipeWriter : PipeWriter
    {
        private ResponseOutput _output = null!;
        private bool _isCompleted;

        /// <summary>Bytes that were written and not flushed; what <c>UnflushedBytes</c> is where there is such a thing.</summary>
        public long Held => _output.Unflushed;

        internal ResponseOutput Output
        {
            set => _output = value;
        }

        internal void Reset() => _isCompleted = false;

        /// <inheritdoc/>
        public override void Advance(int bytes)
        {
            ThrowIfCompleted();
            _output.Advance(bytes);
        }

        /// <inheritdoc/>
        public override Memory<byte> GetMemory(int sizeHint = 0)
        {
            ThrowIfCompleted();
            return _output.GetMemory(sizeHint);
        }

        /// <inheritdoc/>
        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

        /// <inheritdoc/>
        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            ThrowIfCompleted();
            return _output.FlushAsync(cancellationToken);
        }

        /// <inheritdoc/>
        public override ValueTask<FlushResult> WriteAsync(
            ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            ThrowIfCompleted();
            return _output.WriteAsync(source, cancellationToken);
        }

        /// <inheritdoc/>
        public override void CancelPendingFlush() => _output.Room.CancelPendingWait();

        /// <summary>What was written is still sent, at the latest when the request ends.</summary>
        public override void Complete(Exception? exception = null) => _isCompleted = true;

        private void ThrowIfCompleted()
        {
            if (_isCompleted)
            {
                throw new InvalidOperationException("Writing is not allowed after the writer was completed.");
            }
        }
    }
}
