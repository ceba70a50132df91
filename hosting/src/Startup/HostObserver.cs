using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using Microsoft.Extensions.Hosting;

namespace Ancm.Hosting.Startup
{
    /// <summary>
    /// Watches hosts being built. From .NET 6 on, a host announces that it is about to be built, and what is registered then comes
    /// last: this also reaches hosts that run no hosting startups. Where neither way was open, the app would start
    /// its own server on a port of its own; that is stopped before it happens.
    /// </summary>
    internal sealed class HostObserver : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>
    {
        private const string Hosts = "Microsoft.Extensions.Hosting";
        private const string WebHosts = "Microsoft.AspNetCore";
        private const string OldestHost = "Microsoft.AspNetCore.Hosting.WebHostBuilder";

        public static void Subscribe() => DiagnosticListener.AllListeners.Subscribe(new HostObserver());

        public void OnNext(DiagnosticListener listener)
        {
            if (listener.Name == Hosts)
            {
                listener.Subscribe(this);
            }
            else if (listener.Name == WebHosts && !ServerReplacement.IsArranged && !MayStillBeAnnounced())
            {
                // Made while a web host's services are registered, when hosting startups have run.
                throw new InvalidOperationException(
                    "The app's server could not be replaced, because the app runs no hosting startups " +
                    "(ASPNETCORE_PREVENTHOSTINGSTARTUP, or the setting `preventHostingStartup`). " +
                    "Allow them, or host the app out of process.");
            }
        }

        public void OnNext(KeyValuePair<string, object?> notice)
        {
            if (notice.Key == "HostBuilding" && notice.Value is IHostBuilder builder)
            {
                ServerReplacement.Arrange(builder);
            }
        }

        public void OnCompleted()
        {
        }

        public void OnError(Exception error)
        {
        }

        /// <summary>From .NET 6 on every host is, but for the oldest kind.</summary>
        private static bool MayStillBeAnnounced() =>
            Environment.Version.Major >= 6 &&
            new StackTrace().GetFrames().All(frame => frame?.GetMethod()?.DeclaringType?.FullName != OldestHost);
    }
}
