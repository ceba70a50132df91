using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace FullApp
{
    /// <summary>Where the app runs, and where a request came from.</summary>
    internal static class Places
    {
        public static Task Connection(HttpContext context)
        {
            var tls = context.Features.Get<ITlsHandshakeFeature>();
            return context.Response.WriteJson(new
            {
                scheme = context.Request.Scheme,
                remote = context.Connection.RemoteIpAddress + ":" + context.Connection.RemotePort,
                local = context.Connection.LocalIpAddress + ":" + context.Connection.LocalPort,
                secure = context.Features.Get<ITlsConnectionFeature>() != null,
                certificate = context.Connection.ClientCertificate?.Subject,
                tls = tls?.Protocol.ToString(),
                cipher = tls?.CipherAlgorithm.ToString(),
                strength = tls?.CipherStrength,
                // Not in the interface before .NET 6 and 8.
                suite = tls?.GetType().GetProperty("NegotiatedCipherSuite")?.GetValue(tls)?.ToString(),
                serverName = tls?.GetType().GetProperty("HostName")?.GetValue(tls) as string,
            });
        }

        public static Task Report(HttpContext context)
        {
            var environment = context.RequestServices.GetRequiredService<IWebHostEnvironment>();
            return context.Response.WriteJson(new
            {
                pid = Process.GetCurrentProcess().Id,
                contentRoot = environment.ContentRootPath,
                webRoot = environment.WebRootPath,
                currentDirectory = Directory.GetCurrentDirectory(),
                baseDirectory = AppContext.BaseDirectory,
                arguments = Environment.GetCommandLineArgs(),
                framework = Path.GetDirectoryName(typeof(object).Assembly.Location),
            });
        }

        /// <summary>How deep a new thread's calls may go, which its stack's size decides.</summary>
        public static Task Stack(HttpContext context)
        {
            var depth = 0;
            var thread = new Thread(() => depth = Depth(0));
            thread.Start();
            thread.Join();
            return context.Response.WriteJson(new { depth });
        }

        public static Task Memory(HttpContext context)
        {
            // Before anything is collected here.
            var allocated = GC.GetTotalAllocatedBytes(precise: true);
            for (var round = 0; round < 3; round++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            return context.Response.WriteJson(new
            {
                allocated,
                managed = GC.GetTotalMemory(forceFullCollection: true),
                resident = Process.GetCurrentProcess().WorkingSet64,
            });
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static unsafe int Depth(int depth)
        {
            // A kibibyte in each call.
            var place = stackalloc byte[1024];
            place[depth % 1024] = 1;
            return RuntimeHelpers.TryEnsureSufficientExecutionStack() ? Depth(depth + 1) + (place[0] & 0) : depth;
        }
    }
}
