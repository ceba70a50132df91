using System;
using System.Threading;
using System.Threading.Tasks;
using System.Threading.Tasks.Sources;

namespace Ancm.Hosting.Http
{
    /// <summary>
    /// Wakes one waiter, now or later. It may be signalled without cause (a late callback, a cancellation): the waiter looks
    /// again at what it waits for. What waits continues on the pool, unless the thread that signals is lent to it; who blocks
    /// a thread goes on there, without the pool, whose threads may all be blocked like that.
    /// </summary>
    internal sealed class AsyncSignal : IValueTaskSource
    {
        private const int Idle = 0;
        private const int Signalled = 1;
        private const int Waiting = 2;
        private const int Blocked = 3;

        private static readonly Action<object?> _signal = state => ((AsyncSignal)state!).Signal();

        private ManualResetValueTaskSourceCore<bool> _source;
        private ManualResetEventSlim? _unblocked;
        private int _state;

        /// <summary>Somebody waits for it.</summary>
        public bool IsAwaited => Volatile.Read(ref _state) >= Waiting;

        public void Signal() => Signal(runsHere: false);

        /// <summary>On a thread that may run the app: what waits continues before this returns.</summary>
        public void SignalHere() => Signal(runsHere: true);

        /// <summary>Ends at the next signal, or at once where one came before.</summary>
        public ValueTask WaitAsync()
        {
            if (Interlocked.CompareExchange(ref _state, Idle, Signalled) == Signalled)
            {
                return default;
            }
            ThrowIfAwaited();
            _source.Reset();
            switch (Interlocked.CompareExchange(ref _state, Waiting, Idle))
            {
                case Idle:
                    return new ValueTask(this, _source.Version);
                default:
                    Interlocked.Exchange(ref _state, Idle);
                    return default;
            }
        }

        /// <summary>The same, with the calling thread.</summary>
        public void Wait()
        {
            ThrowIfAwaited();
            // Never used for another wait, nor disposed of: who signals may still be in it when this returns.
            var unblocked = new ManualResetEventSlim();
            _unblocked = unblocked;
            if (Interlocked.CompareExchange(ref _state, Blocked, Idle) == Idle)
            {
                unblocked.Wait();
            }
            else
            {
                Interlocked.Exchange(ref _state, Idle);
            }
        }

        /// <summary>Wakes the waiter when the token is cancelled.</summary>
        public CancellationTokenRegistration SignalWhen(CancellationToken cancelled) =>
            cancelled.UnsafeRegister(_signal, this);

        /// <summary>Forgets a signal that nobody waited for. Only while nobody waits.</summary>
        public void Clear() => Interlocked.CompareExchange(ref _state, Idle, Signalled);

        void IValueTaskSource.GetResult(short token) => _source.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

        void IValueTaskSource.OnCompleted(
            Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _source.OnCompleted(continuation, state, token, flags);

        private void Signal(bool runsHere)
        {
            // Where a signal is kept already, who takes it must see what this one is about: so that is written first, and the state
            // is read then. The waiter's exchange is the other half of it.
            Interlocked.MemoryBarrier();
            while (true)
            {
                switch (Volatile.Read(ref _state))
                {
                    case Signalled:
                        return;
                    case Idle when Interlocked.CompareExchange(ref _state, Signalled, Idle) == Idle:
                        return;
                    case Waiting when Interlocked.CompareExchange(ref _state, Idle, Waiting) == Waiting:
                        // Nobody else has it now, until who waits goes on.
                        _source.RunContinuationsAsynchronously = !runsHere;
                        _source.SetResult(true);
                        return;
                    case Blocked when Interlocked.CompareExchange(ref _state, Idle, Blocked) == Blocked:
                        // Its own, until it is set.
                        _unblocked!.Set();
                        return;
                }
            }
        }

        private void ThrowIfAwaited()
        {
            if (IsAwaited)
            {
                throw new InvalidOperationException("Somebody waits for this already: one operation at a time.");
            }
        }
    }
}
