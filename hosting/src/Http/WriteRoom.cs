using System.IO.Pipelines;
using System.Threading;
using System.Threading.Tasks;

namespace Ancm.Hosting.Http
{
    /// <summary>Whether native takes more, and the wait until it does.</summary>
    internal sealed class WriteRoom
    {
        private readonly AsyncSignal _ready = new AsyncSignal();
        private volatile bool _isFull;
        private volatile bool _isBroken;
        private int _cancelled;

        /// <summary>Wakes who waits for room.</summary>
        public AsyncSignal Ready => _ready;

        /// <summary>Nobody receives any more.</summary>
        public bool IsBroken => _isBroken;

        public void Reset()
        {
            _isFull = _isBroken = false;
            _cancelled = 0;
            _ready.Clear();
        }

        /// <summary>To be said before a call that may fill it: the callback may come during the call.</summary>
        public void MayBeFull() => _isFull = true;

        public void HasRoom() => _isFull = false;

        public void Break()
        {
            _isBroken = true;
            _ready.Signal();
        }

        public void CancelPendingWait()
        {
            Volatile.Write(ref _cancelled, 1);
            _ready.Signal();
        }

        public ValueTask<FlushResult> WaitAsync(CancellationToken cancellationToken) =>
            _isFull && !_isBroken
                ? WaitLongAsync(cancellationToken)
                : new ValueTask<FlushResult>(new FlushResult(isCanceled: false, _isBroken));

        /// <summary>The same, with the calling thread.</summary>
        public FlushResult Wait()
        {
            var isCancelled = false;
            while (_isFull && !_isBroken && !isCancelled)
            {
                _ready.Wait();
                isCancelled = Interlocked.Exchange(ref _cancelled, 0) == 1;
            }
            return new FlushResult(isCancelled, _isBroken);
        }

        private async ValueTask<FlushResult> WaitLongAsync(CancellationToken cancellationToken)
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
