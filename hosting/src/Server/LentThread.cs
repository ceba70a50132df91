using System.Threading;

namespace Ancm.Hosting.Server
{
    /// <summary>
    /// Runs a request on a thread of native's, which is lent to the app as far as its first pause. What the app sets for its
    /// flow of execution (activities, culture, other async-locals) is gone afterwards, as it is on a thread of the pool.
    /// </summary>
    internal static class LentThread
    {
        private static readonly ContextCallback _execute = state => ((RequestContext)state!).Execute();

        /// <summary>Native's threads have nothing of their own, whichever comes first.</summary>
        private static ExecutionContext? _empty;

        public static void Execute(RequestContext context)
        {
            var empty = _empty ??= ExecutionContext.Capture();
            if (empty == null)
            {
                // Nothing flows here: so nothing is to be taken back.
                context.Execute();
                return;
            }
            ExecutionContext.Run(empty, _execute, context);
        }
    }
}
