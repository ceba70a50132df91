using System;
using System.Reflection;
using Ancm.Hosting.Startup;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Hosting;

[assembly: HostingStartup(typeof(AncmHostingStartup))]

namespace Ancm.Hosting.Startup
{
    /// <summary>
    /// Run by every web host that runs hosting startups. What a generic host's startup registers comes before the
    /// app's own server and loses; so the outer host builder is looked for, whose registrations come last.
    /// </summary>
    internal sealed class AncmHostingStartup : IHostingStartup
    {
        public void Configure(IWebHostBuilder builder)
        {
            if (GenericHostOf(builder) is IHostBuilder host)
            {
                ServerReplacement.Arrange(host);
            }
            else
            {
                ServerReplacement.Arrange(builder);
            }
        }

        /// <summary>
        /// Follows the builders that wrap one another: 3.1 to 5 offer no other way. Null for the older web host, and
        /// from 6 on for builders that announce themselves.
        /// </summary>
        private static IHostBuilder? GenericHostOf(IWebHostBuilder builder)
        {
            object? current = builder;
            while (current is IWebHostBuilder web)
            {
                current = Wrapped(web);
            }
            return current as IHostBuilder;
        }

        private static object? Wrapped(object builder)
        {
            for (Type? type = builder.GetType(); type != null; type = type.BaseType)
            {
                var field = type.GetField(
                    "_builder", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly);
                if (field != null)
                {
                    return field.GetValue(builder);
                }
            }
            return null;
        }
    }
}
