using System;
using System.Threading;
using System.Threading.Tasks;
using Ancm.Hosting.Http;

namespace Ancm.Hosting.Tests
{
    internal static class SignalTests
    {
        public static void SignalBeforeTheWaiterIsKept()
        {
            var signal = new AsyncSignal();
            signal.Signal();
            signal.Signal();
            Check.Equal(true, signal.WaitAsync().IsCompleted);
            Check.Equal(false, signal.WaitAsync().IsCompleted);
        }

        public static void SecondWaiterIsRefused()
        {
            var signal = new AsyncSignal();
            _ = signal.WaitAsync();
            Check.Throws<InvalidOperationException>(() => _ = signal.WaitAsync());
        }

        public static void BlockedThreadNeedsNoOtherOne()
        {
            var signal = new AsyncSignal();
            var waits = new Thread(signal.Wait);
            waits.Start();
            while (!signal.IsAwaited)
            {
                Thread.Yield();
            }
            Check.Throws<InvalidOperationException>(signal.Wait);
            Check.Throws<InvalidOperationException>(() => _ = signal.WaitAsync());
            signal.Signal();
            // A pool whose threads are all blocked would not run what continues there: so nothing may.
            Check.Equal(false, signal.IsAwaited);
            Check.Equal(true, waits.Join(Check.Patience));
            signal.Signal();
            signal.Wait();
        }

        public static async Task NoSignalIsLostToABlockedThread()
        {
            const int Rounds = 100_000;
            var signal = new AsyncSignal();
            var back = new AsyncSignal();
            var other = Task.Run(() =>
            {
                for (var round = 0; round < Rounds; round++)
                {
                    signal.Wait();
                    back.Signal();
                }
            });
            for (var round = 0; round < Rounds; round++)
            {
                signal.Signal();
                await Check.InTime(back.WaitAsync().AsTask());
            }
            await Check.InTime(other);
        }

        public static async Task NoSignalIsLostBetweenThreads()
        {
            const int Rounds = 200_000;
            var signal = new AsyncSignal();
            var back = new AsyncSignal();
            var other = Task.Run(async () =>
            {
                for (var round = 0; round < Rounds; round++)
                {
                    await signal.WaitAsync();
                    back.Signal();
                }
            });
            for (var round = 0; round < Rounds; round++)
            {
                signal.Signal();
                await Check.InTime(back.WaitAsync().AsTask());
            }
            await Check.InTime(other);
        }
    }
}
