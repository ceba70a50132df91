using System;
using System.Reflection;

namespace Ancm.Hosting.Startup
{
    /// <summary>
    /// Raises what the runtime raises when Main has returned. It can't do so itself, since the thread that ran Main is
    /// parked; apps flush their logs there.
    /// </summary>
    internal static class ProcessExit
    {
        public static void Raise()
        {
            try
            {
                // Not public. Where it is missing, the event just does not come.
                typeof(AppContext)
                    .GetMethod("OnProcessExit", BindingFlags.Static | BindingFlags.NonPublic)
                    ?.Invoke(null, null);
            }
            catch (Exception exception)
            {
                Abi.Native.Log(Abi.LogLevel.Warn, $"A handler of ProcessExit threw: {exception}");
            }
        }
    }
}
