using System;
using System.Threading;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Server
{
    /// <summary>Native's wish that the app stops, told once to everybody who asked.</summary>
    internal static class Shutdown
    {
        private static readonly CancellationTokenSource _requested = new CancellationTokenSource();

        public static void OnRequested(Action stop) => _requested.Token.UnsafeRegister(state => ((Action)state!)(), stop);

        /// <summary>Returns at once: what the app does when it stops runs on the pool.</summary>
        public static void Request() => ThreadPool.UnsafeQueueUserWorkItem(_ => Cancel(), null);

        private static void Cancel()
        {
            try
            {
                _requested.Cancel();
            }
            catch (Exception exception)
            {
                Native.Log(LogLevel.Error, $"The app threw when it was told to stop: {exception}");
            }
        }
    }
}
