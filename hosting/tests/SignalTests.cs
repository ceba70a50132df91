using System;
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
