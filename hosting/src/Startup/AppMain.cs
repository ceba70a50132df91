using System;
using System.Reflection;
using System.Threading;
using Ancm.Hosting.Abi;

namespace Ancm.Hosting.Startup
{
    /// <summary>
    /// Runs the app's Main in the runtime's place. An exception that leaves Main would abort the process; here it
    /// reaches native, which can say why the app did not start.
    /// </summary>
    internal static class AppMain
    {
        /// <summary>Does not return: the runtime would run Main a second time.</summary>
        public static void Run()
        {
            if (NativeHost.Mismatch() is string mismatch)
            {
                NativeHost.MainFailed(mismatch, mismatch);
            }
            else
            {
                RunAndReport();
            }
            Thread.Sleep(Timeout.Infinite);
        }

        private static void RunAndReport()
        {
            try
            {
                Environments.Prepare(Settings.Current);
                HostObserver.Subscribe();
                var exitCode = Invoke(Assembly.GetEntryAssembly());
                ProcessExit.Raise();
                Native.MainEnded(exitCode);
            }
            catch (Exception exception)
            {
                var line = $"{exception.GetType()}: {exception.Message}".Replace("\r", "").Replace('\n', ' ');
                NativeHost.MainFailed(line, exception.ToString());
            }
        }

        private static int Invoke(Assembly? app)
        {
            var main = app?.EntryPoint
                ?? throw new InvalidOperationException("The app has no entry point.");
            var arguments = main.GetParameters().Length == 0 ? null : new object[] { Arguments() };
            // As the runtime does it: the app's exception as it was thrown, not wrapped.
            var result = main.Invoke(null, BindingFlags.DoNotWrapExceptions, null, arguments, null);
            return result is int exitCode ? exitCode : Environment.ExitCode;
        }

        /// <summary>The first is the app's own file.</summary>
        private static string[] Arguments()
        {
            var all = Environment.GetCommandLineArgs();
            return all.Length < 2 ? Array.Empty<string>() : all[1..];
        }
    }
}
