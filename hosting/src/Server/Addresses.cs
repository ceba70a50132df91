using System.Collections.Generic;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Ancm.Hosting.Server
{
    /// <summary>Where the front listens. Nobody else's choice counts.</summary>
    internal sealed class Addresses : IServerAddressesFeature
    {
        public Addresses(string[] addresses) => All = new List<string>(addresses);

        private List<string> All { get; }

        ICollection<string> IServerAddressesFeature.Addresses => All;

        public bool PreferHostingUrls { get; set; }
    }
}
