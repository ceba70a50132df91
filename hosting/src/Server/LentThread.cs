using System.Threading;
using Ancm.Hosting.Abi;
using Ancm.Hosting.Http;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// Runs the app on a thread of native's, which is lent to it as far as its next pause. What the app sets for its flow of
    /// execution (activities, culture, other async-locals) is gone afterwards, as it is on a thread of the pool.
    /// </summary>
    internal static class LentThread
    {
        private static readonly ContextCallback _execute = state => ((RequestContext)state!).Execute();
        private static readonly ContextCallback _signal = state => ((AsyncSignal)state!).SignalHere();

        /// <summary>Native's threads have nothing of their own: so what the first one has is nothing.</summary>
        private static ExecutionContext? _empty;

        public static void Execute(RequestContext context) => Run(_execute, context);

        /// <summary>Wakes the app: on this thread, where it is lent.</summary>
        public static void Signal(AsyncSignal signal, RequestFlags flags)
        {
            if ((flags & RequestFlags.RunHere) == 0)
            {
                signal.Signal();
            }
            else
            {
                Run(_signal, signal);
            }
        }

        private static void Run(ContextCallback callback, object state)
        {
            // Null only where somebody suppressed the flow, and nobody does that here.
            if ((_empty ??= ExecutionContext.Capture()) is ExecutionContext empty)
            {
                ExecutionContext.Run(empty, callback, state);
            }
        }
    }
}
