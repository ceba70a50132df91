using System;
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
    internal sealed partial class ResponseOutput
    {
        /// <summary>Native copies what it takes: pieces of this size stay in the processor's caches.</summary>
        private const int LargestPiece = 64 * 1024;

        private readonly RequestContext _context;
        private readonly Sweeper _sweeper;
        private readonly object _lock = new object();
        private readonly OutputBuffer _buffer = new OutputBuffer();
        private readonly BodySender _sender;
        private ulong _id;
        private bool _mayHold;
        private bool _holds;
        private int _heldIn;

        public ResponseOutput(RequestContext context, Sweeper sweeper)
        {
            _context = context;
            _sweeper = sweeper;
            _sender = new BodySender(context, Room);
        }

        /// <summary>Where it is broken, what is written is dropped.</summary>
        public WriteRoom Room { get; } = new WriteRoom();

        /// <summary>Bytes of the body that were flushed, sent or not.</summary>
        public long Total { get; private set; }

        /// <summary>Bytes that were written, and not flushed yet.</summary>
        public int Unflushed => _buffer.Unflushed;

        public void Reset(ulong id)
        {
            lock (_lock)
            {
                _id = id;
                _buffer.Clear();
                Room.Reset();
                Total = 0;
                _mayHold = true;
                _holds = false;
                _sender.Reset(id);
            }
        }

        /// <summary>The request is over: nobody sends anything any more.</summary>
        public void Close()
        {
            lock (_lock)
            {
                _id = 0;
                _holds = false;
                _buffer.Return();
            }
        }

        public Memory<byte> GetMemory(int sizeHint)
        {
            var needed = Math.Max(sizeHint, 1);
            if (_buffer.Room < needed)
            {
                lock (_lock)
                {
                    _buffer.Grow(needed);
                }
            }
            return _buffer.Rest;
        }

        public void Advance(int bytes) => _buffer.Advance(bytes);

        public ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken) =>
            WriteAsync(default, cancellationToken);

        /// <summary>Writes and flushes. What is awaited is room for more.</summary>
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

        /// <summary>The same, with the calling thread: needs no other one of the pool.</summary>
        public void Write(ReadOnlySpan<byte> source)
        {
            _context.StartAsync(default).GetAwaiter().GetResult();
            FlushResult result;
            do
            {
                var piece = source.Slice(0, Math.Min(source.Length, LargestPiece));
                source = source.Slice(piece.Length);
                result = Put(piece) ? Room.Wait() : default;
            }
            while (!source.IsEmpty && !result.IsCompleted && !result.IsCanceled);
        }

        /// <summary>Ends the body, and with it the response.</summary>
        public void End(FieldList? trailers)
        {
            lock (_lock)
            {
                if (Room.IsBroken || _sender.Ended)
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
                _sender.SendTrailers(trailers);
            }
        }

        /// <summary>What was flushed is all that the client ever gets. True where that was all that was promised.</summary>
        public bool Truncate()
        {
            lock (_lock)
            {
                if (!Room.IsBroken && !_sender.Ended)
                {
                    SendFlushed(default, IsWhole ? BodyFlags.End : BodyFlags.None);
                }
                return _sender.Ended;
            }
        }

        /// <summary>Forgets what was written before the response started.</summary>
        public void Discard()
        {
            lock (_lock)
            {
                _buffer.Clear();
                Total = 0;
            }
        }

        /// <summary>The app has paused: from now on everything is sent at once.</summary>
        public void StopHolding(ulong id)
        {
            lock (_lock)
            {
                if (_id == id)
                {
                    SendHeld();
                }
            }
        }

        /// <summary>Sends what was held before the round; true where something newer is held.</summary>
        public bool SendHeld(int round)
        {
            lock (_lock)
            {
                if (_holds && _heldIn < round - 1)
                {
                    SendHeld();
                }
                return _holds;
            }
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

        private ValueTask<FlushResult> WritePiece(ReadOnlySpan<byte> source, CancellationToken cancellationToken) =>
            Put(source) ? Room.WaitAsync(cancellationToken) : default;

        /// <summary>Holds it, or sends it with what was held; true where there is to be waited for room.</summary>
        private bool Put(ReadOnlySpan<byte> source)
        {
            lock (_lock)
            {
                if (Room.IsBroken)
                {
                    _buffer.Clear();
                    return true;
                }
                if (!Count(source.Length))
                {
                    source = default;
                }
                if (_mayHold && !_sender.HeadSent && source.Length <= _buffer.Room)
                {
                    Hold(source);
                    return false;
                }
                Send(source, BodyFlags.None);
                return true;
            }
        }

        private void Hold(ReadOnlySpan<byte> source)
        {
            _buffer.Append(source);
            _buffer.Flush();
            if (!_holds)
            {
                _holds = true;
                _heldIn = _sweeper.Round;
                _sweeper.Arm();
            }
        }

        private void SendHeld()
        {
            _mayHold = false;
            if (!_holds || Room.IsBroken)
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
            _buffer.Flush();
            SendFlushed(source, IsWhole ? BodyFlags.End : flags);
            _buffer.Clear();
        }

        private void SendFlushed(ReadOnlySpan<byte> source, BodyFlags flags)
        {
            _holds = false;
            _sender.Send(_buffer.Take(), source, flags);
        }

        /// <summary>
        /// Takes note of what is written now. False where the response has no body, and all is dropped, as for HEAD.
        /// </summary>
        private bool Count(int added)
        {
            var length = _buffer.Unflushed + added;
            if (_context.IsBodyless)
            {
                _context.CheckBodyAllowed(length);
                _buffer.DropUnflushed();
                return false;
            }
            _context.CheckLength(Total + length);
            Total += length;
            return true;
        }

        /// <summary>Nothing can follow, so that the end need not be said in a call of its own.</summary>
        private bool IsWhole => _context.IsBodyless || (Total > 0 && Total == _context.EndingLength);
    }
}
