using System;
using System.Buffers;
using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Server;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// The response's body on its way to native. What is small is held back as long as the app runs without a
    /// pause: most answers are whole by then and cross in one call, with their head and their end. As soon as the app pauses,
    /// what it flushed is sent, and from then on everything at once.
    /// </summary>
    /// <remarks>
    /// One app thread writes at a time. The lock is for those who send what is held when the app has paused.
    /// </remarks>
    internal sealed class ResponseOutput
    {
        private const int OwnBuffer = 4096;

        /// <summary>Native copies what it takes: pieces of this size stay in the processor's caches.</summary>
        private const int LargestPiece = 64 * 1024;

        private readonly RequestContext _context;
        private readonly Sweeper _sweeper;
        private readonly object _lock = new object();
        private readonly AsyncSignal _ready = new AsyncSignal();
        private readonly byte[] _own = new byte[OwnBuffer];
        private byte[] _buffer;

        // Within the buffer: what native has, what the app has flushed, what it has written. Sent ≤ flushed ≤ written.
        private int _sent;
        private int _flushed;
        private int _written;

        private ulong _id;
        private long _total;
        private bool _mayHold;
        private bool _holds;
        private int _heldIn;
        private bool _headSent;
        private bool _ended;
        private volatile bool _isFull;
        private volatile bool _isBroken;
        private int _cancelled;

        public ResponseOutput(RequestContext context, Sweeper sweeper)
        {
            _context = context;
            _sweeper = sweeper;
            _buffer = _own;
        }

        /// <summary>Bytes of the body that were flushed, sent or not.</summary>
        public long Total => _total;

        /// <summary>Bytes that were written, and not flushed yet.</summary>
        public int Unflushed => _written - _flushed;

        public void Reset(ulong id)
        {
            lock (_lock)
            {
                _id = id;
                _sent = _flushed = _written = 0;
                _total = 0;
                _mayHold = true;
                _holds = _headSent = _ended = _isFull = _isBroken = false;
                _cancelled = 0;
                _ready.Clear();
            }
        }

        /// <summary>The request is over: nobody sends anything any more.</summary>
        public void Close()
        {
            lock (_lock)
            {
                _id = 0;
                _holds = false;
                if (_buffer != _own)
                {
                    ArrayPool<byte>.Shared.Return(_buffer);
                    _buffer = _own;
                }
            }
        }

        public Memory<byte> GetMemory(int sizeHint)
        {
            var needed = Math.Max(sizeHint, 1);
            if (_buffer.Length - _written < needed)
            {
                lock (_lock)
                {
                    Grow(needed);
                }
            }
            return new Memory<byte>(_buffer, _written, _buffer.Length - _written);
        }

        public void Advance(int bytes)
        {
            if (bytes < 0 || bytes > _buffer.Length - _written)
            {
                throw new ArgumentOutOfRangeException(nameof(bytes), bytes, "More than was asked for.");
            }
            _written += bytes;
        }

        public ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken) =>
            WriteAsync(default, cancellationToken);

        /// <summary>Writes and flushes. All of it is taken at once; what is awaited is room for more.</summary>
        public ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                return new ValueTask<FlushResult>(Task.FromCanceled<FlushResult>(cancellationToken));
            }
            try
            {
                var started = _context.StartAsync(cancellationToken);
                return started.IsCompletedSuccessfully && source.Length <= LargestPiece
                    ? WritePiece(source.Span, cancellationToken)
                    : WritePiecesAsync(started, source, cancellationToken);
            }
            catch (Exception exception)
            {
                return new ValueTask<FlushResult>(Task.FromException<FlushResult>(exception));
            }
        }

        /// <summary>Ends the body, and with it the response.</summary>
        public void End(FieldList? trailers)
        {
            lock (_lock)
            {
                if (_isBroken || _ended)
                {
                    return;
                }
                Count(0);
                if (trailers == null || trailers.Count == 0 || _context.IsBodyless)
                {
                    Send(default, BodyFlags.End);
                    return;
                }
                Send(default, BodyFlags.None);
                _ended = true;
                Note(HeadWriter.SendTrailers(_id, trailers));
            }
        }

        /// <summary>What was flushed is all that the client ever gets. True where that was all that was promised.</summary>
        public bool Truncate()
        {
            lock (_lock)
            {
                if (!_isBroken && !_ended)
                {
                    SendFlushed(default, IsWhole() ? BodyFlags.End : BodyFlags.None);
                }
                return _ended;
            }
        }

        /// <summary>Forgets what was written before the response started.</summary>
        public void Discard()
        {
            lock (_lock)
            {
                _sent = _flushed = _written = 0;
                _total = 0;
            }
        }

        /// <summary>The app has paused: from now on everything is sent at once.</summary>
        public void StopHolding(ulong id)
        {
            lock (_lock)
            {
                if (_id == id)
                {
                    _mayHold = false;
                    SendHeld();
                }
            }
        }

        /// <summary>Sends at once from now on.</summary>
        public void StopHolding() => StopHolding(_id);

        /// <summary>Sends what was held before the round; true where something newer is held.</summary>
        public bool SendHeld(int round)
        {
            lock (_lock)
            {
                if (_holds && _heldIn < round - 1)
                {
                    _mayHold = false;
                    SendHeld();
                }
                return _holds;
            }
        }

        /// <summary>Marks the response as sent by other means: the connection was upgraded.</summary>
        public void Upgrade()
        {
            lock (_lock)
            {
                _mayHold = false;
                _headSent = true;
            }
        }

        /// <summary>There is room again.</summary>
        public void OnReady()
        {
            _isFull = false;
            _ready.Signal();
        }

        /// <summary>Nobody receives any more: what is written from now on is dropped.</summary>
        public void Break()
        {
            _isBroken = true;
            _ready.Signal();
        }

        public void CancelPendingFlush()
        {
            Volatile.Write(ref _cancelled, 1);
            _ready.Signal();
        }

        /// <summary>After <see cref="Upgrade"/>: straight to native, with the same back-pressure.</summary>
        public ValueTask<FlushResult> WriteThroughAsync(
            ReadOnlySpan<byte> source, BodyFlags flags, CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                if (!_isBroken && !_ended)
                {
                    _isFull = true;
                    _ended = flags == BodyFlags.End;
                    Note(Native.Write(_id, source, flags));
                }
            }
            return WaitForRoom(cancellationToken);
        }

        private async ValueTask<FlushResult> WritePiecesAsync(
            Task started, ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
        {
            await started;
            FlushResult result;
            do
            {
                var piece = source.Slice(0, Math.Min(source.Length, LargestPiece));
                source = source.Slice(piece.Length);
                result = await WritePiece(piece.Span, cancellationToken);
            }
            while (!source.IsEmpty && !result.IsCompleted && !result.IsCanceled);
            return result;
        }

        private ValueTask<FlushResult> WritePiece(ReadOnlySpan<byte> source, CancellationToken cancellationToken)
        {
            lock (_lock)
            {
                if (_isBroken)
                {
                    _sent = _flushed = _written = 0;
                    return new ValueTask<FlushResult>(new FlushResult(isCanceled: false, isCompleted: true));
                }
                if (!Count(source.Length))
                {
                    source = default;
                }
                if (_mayHold && !_headSent && source.Length <= _buffer.Length - _written)
                {
                    Hold(source);
                    return default;
                }
                Send(source, BodyFlags.None);
            }
            return WaitForRoom(cancellationToken);
        }

        private void Hold(ReadOnlySpan<byte> source)
        {
            source.CopyTo(new Span<byte>(_buffer, _written, source.Length));
            _written += source.Length;
            _flushed = _written;
            if (!_holds)
            {
                _holds = true;
                _heldIn = _sweeper.Round;
                _sweeper.Arm();
            }
        }

        private void SendHeld()
        {
            if (!_holds || _isBroken)
            {
                return;
            }
            try
            {
                SendFlushed(default, BodyFlags.None);
            }
            catch (Exception exception)
            {
                _context.Fail(exception);
            }
        }

        /// <summary>Sends all that was written, and what is added to it. For the app's thread.</summary>
        private void Send(ReadOnlySpan<byte> source, BodyFlags flags)
        {
            _flushed = _written;
            SendFlushed(source, IsWhole() ? BodyFlags.End : flags);
            _sent = _flushed = _written = 0;
        }

        private void SendFlushed(ReadOnlySpan<byte> source, BodyFlags flags)
        {
            _holds = false;
            if (_ended)
            {
                return;
            }
            var first = new ReadOnlySpan<byte>(_buffer, _sent, _flushed - _sent);
            if (first.IsEmpty)
            {
                first = source;
                source = default;
            }
            _sent = _flushed;
            _isFull = true;
            _ended = flags == BodyFlags.End;
            var firstFlags = source.IsEmpty ? flags : BodyFlags.None;
            var status = Status.Ok;
            if (!_headSent)
            {
                _headSent = true;
                status = _context.SendHead(first, firstFlags);
            }
            else if (!first.IsEmpty || firstFlags == BodyFlags.End)
            {
                status = Native.Write(_id, first, firstFlags);
            }
            if (!source.IsEmpty && status >= Status.Ok)
            {
                status = Native.Write(_id, source, flags);
            }
            Note(status);
        }

        private void Note(Status status)
        {
            switch (status)
            {
                case Status.Pending:
                    // Room is there when the callback has come, which may have been during the call.
                    break;
                case Status.Ok:
                    _isFull = false;
                    break;
                case Status.Gone:
                    _context.OnGone();
                    break;
                default:
                    _isFull = false;
                    throw new InvalidOperationException($"The native host refused the response ({status}).");
            }
        }

        /// <summary>
        /// Takes note of what is written now. False where the response has no body, and all is dropped, as for HEAD.
        /// </summary>
        private bool Count(int added)
        {
            var length = _written - _flushed + added;
            if (_context.IsBodyless)
            {
                _context.CheckBodyAllowed(length);
                _flushed = _written = _sent;
                return false;
            }
            _context.CheckLength(_total + length);
            _total += length;
            return true;
        }

        /// <summary>Nothing can follow, so that the end need not be said in a call of its own.</summary>
        private bool IsWhole() => _context.IsBodyless || (_total > 0 && _total == _context.EndingLength);

        private void Grow(int needed)
        {
            var kept = _written - _sent;
            if (_buffer.Length - kept >= needed && _sent > 0)
            {
                Buffer.BlockCopy(_buffer, _sent, _buffer, 0, kept);
            }
            else
            {
                var larger = ArrayPool<byte>.Shared.Rent(Math.Max(kept + needed, _buffer.Length * 2));
                Buffer.BlockCopy(_buffer, _sent, larger, 0, kept);
                if (_buffer != _own)
                {
                    ArrayPool<byte>.Shared.Return(_buffer);
                }
                _buffer = larger;
            }
            _flushed -= _sent;
            _written -= _sent;
            _sent = 0;
        }

        private ValueTask<FlushResult> WaitForRoom(CancellationToken cancellationToken) =>
            _isFull && !_isBroken
                ? WaitForRoomAsync(cancellationToken)
                : new ValueTask<FlushResult>(new FlushResult(isCanceled: false, _isBroken));

        private async ValueTask<FlushResult> WaitForRoomAsync(CancellationToken cancellationToken)
        {
            using (_ready.SignalWhen(cancellationToken))
            {
                var isCancelled = false;
                while (_isFull && !_isBroken && !isCancelled)
                {
                    await _ready.WaitAsync();
                    cancellationToken.ThrowIfCancellationRequested();
                    isCancelled = Interlocked.Exchange(ref _cancelled, 0) == 1;
                }
                return new FlushResult(isCancelled, _isBroken);
            }
        }
    }
}
