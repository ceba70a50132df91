using System;
using System.Buffers;
using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The request's body as a pipe: what was read and not consumed yet lies in one buffer, which grows when a reader
    /// wants to see more before it consumes.
    /// </summary>
    internal sealed class RequestPipeReader : PipeReader
    {
        private const int SmallestBuffer = 4096;

        private readonly RequestInput _input;
        private byte[] _buffer = Array.Empty<byte>();
        private ReadOnlySequence<byte> _shown;
        private int _start;
        private int _end;
        private bool _allExamined = true;
        private bool _isCompleted;
        private int _cancelled;

        public RequestPipeReader(RequestInput input) => _input = input;

        /// <summary>Read from native, but not consumed.</summary>
        public ReadOnlySpan<byte> Buffered => new ReadOnlySpan<byte>(_buffer, _start, _end - _start);

        public void Reset()
        {
            if (_buffer.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(_buffer);
                _buffer = Array.Empty<byte>();
            }
            _shown = default;
            _start = 0;
            _end = 0;
            _allExamined = true;
            _isCompleted = false;
            _cancelled = 0;
        }

        /// <summary>For a reader that goes past the pipe.</summary>
        public void Consume(int length)
        {
            _start += length;
            _allExamined = _start == _end;
        }

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                return new ValueTask<ReadResult>(Task.FromCanceled<ReadResult>(cancellationToken));
            }
            try
            {
                return TryRead(out var result)
                    ? new ValueTask<ReadResult>(result)
                    : WaitAndReadAsync(cancellationToken);
            }
            catch (Exception exception)
            {
                return new ValueTask<ReadResult>(Task.FromException<ReadResult>(exception));
            }
        }

        public override bool TryRead(out ReadResult result)
        {
            if (_isCompleted)
            {
                throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
            }
            var isCancelled = Interlocked.Exchange(ref _cancelled, 0) == 1;
            if (!isCancelled && _allExamined && !Fill())
            {
                result = default;
                return false;
            }
            _shown = new ReadOnlySequence<byte>(_buffer, _start, _end - _start);
            result = new ReadResult(_shown, isCancelled, _input.HasEnded);
            return true;
        }

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            // Throws for positions that are not in it.
            var consumedTo = _start + (int)_shown.Slice(0, consumed).Length;
            var examinedTo = _start + (int)_shown.Slice(0, examined).Length;
            if (examinedTo < consumedTo)
            {
                throw new InvalidOperationException("What is consumed must have been examined.");
            }
            _shown = default;
            _start = consumedTo;
            _allExamined = examinedTo == _end;
            if (_start == _end)
            {
                _start = 0;
                _end = 0;
            }
        }

        public override void CancelPendingRead()
        {
            Volatile.Write(ref _cancelled, 1);
            _input.Wake();
        }

        public override void Complete(Exception? exception = null) => _isCompleted = true;

        /// <summary>False where nothing is there yet.</summary>
        private bool Fill()
        {
            if (_input.HasEnded)
            {
                return true;
            }
            MakeRoom();
            if (!_input.TryRead(new Span<byte>(_buffer, _end, _buffer.Length - _end), out var read))
            {
                return false;
            }
            _end += read;
            return true;
        }

        private void MakeRoom()
        {
            if (_end < _buffer.Length)
            {
                return;
            }
            var kept = _end - _start;
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(SmallestBuffer, kept * 2));
            Buffered.CopyTo(larger);
            if (_buffer.Length > 0)
            {
                ArrayPool<byte>.Shared.Return(_buffer);
            }
            _buffer = larger;
            _start = 0;
            _end = kept;
        }

        private async ValueTask<ReadResult> WaitAndReadAsync(CancellationToken cancellationToken)
        {
            using (_input.WakeWhen(cancellationToken))
            {
                ReadResult result;
                do
                {
                    await _input.WaitAsync();
                    cancellationToken.ThrowIfCancellationRequested();
                }
                while (!TryRead(out result));
                return result;
            }
        }
    }
}
