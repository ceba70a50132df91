using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace StockApp
{
    /// <summary>What the app sees of a request, and of itself.</summary>
    internal static class Reports
    {
        public static async Task Echo(HttpContext context)
        {
            var request = context.Request;
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body);
            var trailers = request.SupportsTrailers() && request.CheckTrailersAvailable()
                ? Lists(context.Features.Get<IHttpRequestTrailersFeature>().Trailers)
                : new SortedDictionary<string, string[]>();
            context.Response.Headers["X-Echo-Method"] = request.Method;
            await context.Response.WriteJson(new
            {
                protocol = request.Protocol,
                method = request.Method,
                scheme = request.Scheme,
                host = request.Host.Value,
                remoteAddress = context.Connection.RemoteIpAddress?.ToString(),
                remotePort = context.Connection.RemotePort,
                pathBase = request.PathBase.Value,
                path = request.Path.Value,
                query = request.QueryString.Value,
                rawTarget = context.Features.Get<IHttpRequestFeature>().RawTarget,
                contentLength = request.ContentLength,
                headers = Lists(request.Headers),
                bodyLength = body.Length,
                trailers,
            });
        }

        public static Task Env(HttpContext context)
        {
            var variables = new SortedDictionary<string, string>(StringComparer.Ordinal);
            foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            {
                var name = (string)entry.Key;
                if (name.StartsWith("ASPNETCORE_") || name.StartsWith("ANCM") || name.StartsWith("SCENARIO_"))
                {
                    variables[name] = (string)entry.Value;
                }
            }
            return context.Response.WriteJson(new
            {
                pid = Process.GetCurrentProcess().Id,
                contentRoot = context.RequestServices.GetRequiredService<IWebHostEnvironment>().ContentRootPath,
                currentDirectory = Directory.GetCurrentDirectory(),
                arguments = Environment.GetCommandLineArgs(),
                variables,
            });
        }

        public static async Task ClientCertificate(HttpContext context)
        {
            var certificate = await context.Connection.GetClientCertificateAsync();
            await context.Response.WriteJson(new
            {
                present = certificate != null,
                der = certificate == null ? null : Convert.ToBase64String(certificate.RawData),
            });
        }

        private static SortedDictionary<string, string[]> Lists(IHeaderDictionary headers) =>
            new SortedDictionary<string, string[]>(
                headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToArray()),
                StringComparer.Ordinal);
    }
}
