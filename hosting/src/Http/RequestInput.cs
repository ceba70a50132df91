using System;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Abi;
using Microsoft.AspNetCore.Connections;

namespace Ancm.Hosting.Http
{
    /// <summary>The bytes that come from the client: straight from native to whoever reads.</summary>
    internal sealed class RequestInput
    {
        private readonly AsyncSignal _ready = new AsyncSignal();
        private ulong _id;
        private bool _ended;
        private volatile bool _isBroken;

        /// <summary>Wakes the reader.</summary>
        public AsyncSignal Ready => _ready;

        /// <summary>From then on the body's limit is fixed.</summary>
        public bool HasBegun { get; private set; }

        /// <summary>All of it was read; where there is no body, from the start.</summary>
        public bool HasEnded => _ended;

        public void Reset(ulong id, bool hasBody)
        {
            _id = id;
            _ended = !hasBody;
            HasBegun = false;
            _isBroken = false;
            _ready.Clear();
        }

        /// <summary>The connection speaks another protocol from now on.</summary>
        public void Upgrade() => _ended = false;

        /// <summary>Wakes the reader: there is something to read, or it is to look whether it was cancelled.</summary>
        public void Wake() => _ready.Signal();

        /// <summary>Nothing more comes, and that was not the end.</summary>
        public void Break()
        {
            _isBroken = true;
            _ready.Signal();
        }

        /// <summary>0 is the end.</summary>
        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            if (cancellationToken.IsCancellationRequested)
            {
                return new ValueTask<int>(Task.FromCanceled<int>(cancellationToken));
            }
            try
            {
                return TryRead(buffer.Span, out var read)
                    ? new ValueTask<int>(read)
                    : WaitAndReadAsync(buffer, cancellationToken);
            }
            catch (Exception exception)
            {
                return new ValueTask<int>(Task.FromException<int>(exception));
            }
        }

        /// <summary>The same, with the calling thread: needs no other one of the pool.</summary>
        public int Read(Span<byte> buffer)
        {
            int read;
            while (!TryRead(buffer, out read))
            {
                _ready.Wait();
            }
            return read;
        }

        /// <summary>False where nothing is there yet.</summary>
        public bool TryRead(Span<byte> buffer, out int read)
        {
            read = 0;
            if (_isBroken)
            {
                throw Gone();
            }
            if (_ended || buffer.IsEmpty)
            {
                return true;
            }
            var status = Native.Read(_id, buffer, out read);
            // A body that was refused by its declared length was not begun: the app may raise the limit.
            HasBegun |= status != Status.TooLarge;
            switch (status)
            {
                case Status.Ok:
                    _ended = read == 0;
                    return true;
                case Status.Pending:
                    return false;
                case Status.TooLarge:
                    throw BadRequests.TooLarge();
                case Status.BadRequest:
                    throw BadRequests.BrokenBody();
                default:
                    throw Gone();
            }
        }

        /// <summary>Until it is worth to try again.</summary>
        public ValueTask WaitAsync() => _ready.WaitAsync();

        public CancellationTokenRegistration WakeWhen(CancellationToken cancelled) => _ready.SignalWhen(cancelled);

        private static Exception Gone() => new ConnectionResetException("The client has disconnected.");

        private async ValueTask<int> WaitAndReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
        {
            using (_ready.SignalWhen(cancellationToken))
            {
                int read;
                do
                {
                    await _ready.WaitAsync();
                    cancellationToken.ThrowIfCancellationRequested();
                }
                while (!TryRead(buffer.Span, out read));
                return read;
            }
        }
    }
}
