using System;
using System.IO;
using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;

namespace Ancm.Hosting.Http
{
    /// <summary>The response's body as a pipe.</summary>
    internal sealed class ResponsePipeWriter : PipeWriter
    {
        private readonly ResponseOutput _output;
        private bool _isCompleted;

        public ResponsePipeWriter(ResponseOutput output) => _output = output;

        public void Reset() => _isCompleted = false;

        public override void Advance(int bytes)
        {
            ThrowIfCompleted();
            _output.Advance(bytes);
        }

        public override Memory<byte> GetMemory(int sizeHint = 0)
        {
            ThrowIfCompleted();
            return _output.GetMemory(sizeHint);
        }

        public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            ThrowIfCompleted();
            return _output.FlushAsync(cancellationToken);
        }

        public override ValueTask<FlushResult> WriteAsync(
            ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            ThrowIfCompleted();
            return _output.WriteAsync(source, cancellationToken);
        }

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
